// A hostile TPM below the resource manager: it answers as a TPM does, or with any code, or with any
// bytes. Every command of a client is answered, after a bounded number of commands to the TPM.
//
// An input is a sequence of client commands: which, whose, and the number of the handle in it; each
// command that reaches the TPM takes a byte that says how it answers, and what that needs.
#include <gtest/gtest.h>

#include "tests/support/managed_and_direct.h"

namespace vtpm {
namespace {

class HostileTpm final : public CommandPort {
 public:
  explicit HostileTpm(BigEndianReader& input) : input_(input) {}

  Bytes transmit(const Command& command, const Ticket& ticket) override {
    ++executed;
    uint8_t how = input_.u8();
    if (how < 0xA0) {
      return tpm_.transmit(command, ticket);
    }
    if (how < 0xC0) {
      return error_response(TpmVersion::tpm20, any_code());
    }
    Bytes response = tpm_.transmit(command, ticket);
    if (how < 0xE0) {
      size_t at = input_.u8() % response.size();
      response[at] = std::byte{input_.u8()};
      return response;
    }
    Bytes body = to_bytes(input_.bytes(std::min<size_t>(input_.u8(), input_.remaining())));
    return how < 0xF0 ? tpm2_response(rc::success, body) : body;
  }

  void reset() { tpm_.reset(); }

  uint64_t executed = 0;

 private:
  ResponseCode any_code() {
    constexpr std::array<uint32_t, 16> kCodes = {0x901, 0x902, 0x903, 0x904, 0x905, 0x906,
                                                 0x910, 0x911, 0x918, 0x919, 0x922, 0x909,
                                                 0x101, 0x100, 0x1CB, 0x1DF};
    return ResponseCode{kCodes.at(input_.u8() % kCodes.size())};
  }

  BigEndianReader& input_;
  TpmDouble tpm_{{.context_gap = 16}};
};

class Fuzz {
 public:
  explicit Fuzz(ByteView input) : input_(input) {}

  void run() {
    while (input_.remaining() > 0) {
      step();
    }
  }

 private:
  void step() {
    uint8_t what = input_.u8();
    std::optional<SpaceClient>& client = clients_.at(input_.u8() % clients_.size());
    if (!client) {
      client.emplace(manager_.open_space({.pid = 1, .uid = what}));
    }
    if (what >= 0xF0) {
      rare(what, client);
      return;
    }
    uint32_t number = input_.u8() % 16;
    uint64_t before = tpm_.executed;
    std::vector<Bytes> commands = commands_of(kFirstTransient + number, sessions_[number]);
    Bytes command = commands[what % commands.size()];
    Bytes response = client->send(command);
    // Each of a command's ten names, and the command itself, may be tried a hundred times, and what
    // leaves then is at most all sessions, each of which is loaded and saved.
    EXPECT_LT(tpm_.executed - before, 200000u);
    remember(Command(command).code(), response);
  }

  void rare(uint8_t what, std::optional<SpaceClient>& client) {
    switch (what & 3) {
      case 0:
        client.reset();
        break;
      case 1:
        tpm_.reset();
        manager_.power_changed();
        break;
      case 2:
        raw_.send(flush_context(sessions_[what >> 2 & 3]));
        break;
      default:
        manager_.forget_all();
    }
  }

  std::vector<Bytes> commands_of(uint32_t object, uint32_t session) {
    return {make_key(1),
            make_key(1, kOwnerHierarchy),
            use_key(object),
            start_sequence(),
            update_sequence(object, "x"),
            complete_sequence(object),
            start_session(SessionKind::policy),
            policy_command_code(session, 1),
            flush_context(object),
            flush_context(session),
            context_save(object),
            context_save(session),
            context_load(saved_),
            get_handles(object),
            get_handles(session),
            get_capability(capability::kTpmProperties, 0x100),
            clear_tpm(),
            shutdown_command(ShutdownType::state)};
  }

  void remember(CommandCode code, ByteView response) {
    if (response_code(response) != rc::success) {
      return;
    }
    if (code == cc::context_save) {
      saved_ = parameters_of(response);
    } else if (code == cc::start_auth_session) {
      sessions_[next_++ % sessions_.size()] = returned_handle(response);
    }
  }

  BigEndianReader input_;
  HostileTpm tpm_{input_};
  ResourceManager manager_{tpm_};
  SpaceClient raw_{manager_.raw()};
  std::array<std::optional<SpaceClient>, 4> clients_;
  std::array<uint32_t, 16> sessions_{};
  size_t next_ = 0;
  Bytes saved_;
};

}  // namespace
}  // namespace vtpm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  GTEST_FLAG_SET(throw_on_failure, true);  // what fails ends the process
  vtpm::Fuzz(std::as_bytes(std::span(data, size))).run();
  return 0;
}
