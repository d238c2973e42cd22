// A hostile client of the resource manager beside honest ones: whatever it sends, the honest ones
// are answered as on a TPM of their own (tests/support/managed_and_direct.h).
//
// An input is a sequence of turns. One byte says whose it is. An honest client's is a step: what,
// which thing, which other. The hostile one's is a command: which, the type and number of the
// handle in it, and up to three bytes to alter.
#include <gtest/gtest.h>

#include "tests/support/managed_and_direct.h"

namespace vtpm {
namespace {

constexpr uint8_t kHostile = 0x80;

class Fuzz {
 public:
  explicit Fuzz(ByteView input) : input_(input) {}

  void run() {
    while (input_.remaining() > 0) {
      uint8_t who = input_.u8();
      if (who >= kHostile) {
        send_hostile();
      } else if (auto difference = worlds_.step({input_.u8(), who, input_.u8(), input_.u8()})) {
        FAIL() << *difference;
      }
    }
    hostile_->close();
    auto difference = worlds_.finish();
    EXPECT_FALSE(difference.has_value()) << *difference;
  }

 private:
  void send_hostile() {
    Bytes command = commands_of(handle())[input_.u8() % kCommands];
    for (int edits = input_.u8() % 4; edits > 0; --edits) {
      size_t at = input_.u8() % command.size();
      command[at] = std::byte{input_.u8()};
    }
    // What anybody with the platform's or the owner's authorisation may do to all.
    CommandCode code = Command(command).code();
    if (code != cc::clear && code != cc::evict_control) {
      Bytes response = hostile_->send(command);
      remember(code, response);
    }
  }

  uint32_t handle() {
    constexpr std::array<uint32_t, 5> kTypes = {0x80000000, 0x02000000, 0x03000000, 0x81000000,
                                                0x40000000};
    uint32_t type = kTypes.at(input_.u8() % kTypes.size());
    return type + input_.u8() % 80;
  }

  static constexpr size_t kCommands = 18;
  std::vector<Bytes> commands_of(uint32_t handle) {
    return {make_key(1),
            use_key(handle),
            read_public(handle),
            start_sequence(),
            update_sequence(handle, "x"),
            complete_sequence(handle),
            start_session(SessionKind::policy),
            start_session(SessionKind::hmac),
            policy_command_code(handle, 1),
            policy_get_digest(handle),
            flush_context(handle),
            context_save(handle),
            context_load(saved_),
            get_handles(handle),
            get_capability(capability::kTpmProperties, 0x100 + (handle & 0xFF)),
            create_child(handle, 1),
            shutdown_command(ShutdownType::state),
            tpm2_command(cc::load, u32_bytes(handle))};
  }

  void remember(CommandCode code, ByteView response) {
    if (code == cc::context_save && response_code(response) == rc::success) {
      saved_ = parameters_of(response);
    }
  }

  BigEndianReader input_;
  ManagedAndDirect worlds_{{.context_gap = 300}};
  std::optional<SpaceClient> hostile_ = worlds_.open_stranger();
  Bytes saved_;
};

}  // namespace
}  // namespace vtpm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  GTEST_FLAG_SET(throw_on_failure, true);  // what fails ends the process
  vtpm::Fuzz(std::as_bytes(std::span(data, size))).run();
  return 0;
}
