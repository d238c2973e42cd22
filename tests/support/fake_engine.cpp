#include "tests/support/fake_engine.h"

#include <algorithm>

namespace vtpm {
namespace {

constexpr uint16_t kNoSessions = 0x8001;

Bytes success(ByteView parameters = {}) {
  return BigEndianWriter()
      .u16(kNoSessions)
      .u32(static_cast<uint32_t>(kHeaderSize + parameters.size()))
      .u32(0)
      .bytes(parameters)
      .take();
}

Bytes random_response(ByteView command) {
  uint16_t count = BigEndianReader(command.subspan(kHeaderSize)).u16();
  Bytes random(count);
  for (size_t i = 0; i < count; ++i) {
    random[i] = static_cast<std::byte>(i + 1);
  }
  return success(BigEndianWriter().u16(count).bytes(random).take());
}

}  // namespace

Result<PoweredOn> FakeEngine::power_on(StoredVolatile stored) {
  ++power_ons;
  failure_mode_ = false;
  if (fail_power_on) {
    return failure(Errc::tpm, "power-on told to fail");
  }
  auto permanent = store_.load({version_, BlobKind::permanent});
  if (!permanent && permanent.error().code != Errc::not_found) {
    return tl::unexpected(permanent.error());
  }
  if (!permanent) {
    if (auto made = manufacture(); !made) {
      return tl::unexpected(made.error());
    }
  }
  bool resumed = store_.load({version_, BlobKind::volatile_state}).has_value();
  if (stored == StoredVolatile::discard) {
    static_cast<void>(store_.remove({version_, BlobKind::volatile_state}));
  }
  on_ = true;
  started_ = resumed;
  return resumed ? PoweredOn::resumed : PoweredOn::reset;
}

Result<void> FakeEngine::manufacture() {
  if (!may_manufacture) {
    return failure(Errc::not_found, "there is no TPM state, and making a new TPM was not allowed");
  }
  return store_.store({version_, BlobKind::permanent}, as_bytes("new TPM"));
}

void FakeEngine::power_off() {
  on_ = false;
  started_ = false;
  failure_mode_ = false;
}

Result<ByteView> FakeEngine::execute(ByteView command, Locality locality) {
  if (!on_) {
    return failure(Errc::wrong_phase, "the TPM is off");
  }
  last_locality = locality;
  auto header = parse_command_header(command);
  if (!header || header->size != command.size()) {
    response_ = error(ResponseCode{0x142});  // TPM_RC_COMMAND_SIZE
    return ByteView(response_);
  }
  executed.push_back(header->code);
  if (!answers.empty()) {
    response_ = error(answers.front());
    answers.pop_front();
    return ByteView(response_);
  }
  response_ = respond(command, *header);
  return ByteView(response_);
}

Bytes FakeEngine::respond(ByteView command, const CommandHeader& header) {
  if (failure_mode_) {
    return failure_response(version_);
  }
  CommandCode startup = version_ == TpmVersion::tpm20 ? cc::startup : ordinal::startup;
  if (header.code == startup) {
    bool again = std::exchange(started_, true);
    return again ? error(rc::initialize) : success();
  }
  if (header.code == cc::get_capability) {
    return success(as_bytes("capability"));
  }
  return started_ ? respond_started(command, header) : error(rc::initialize);
}

Bytes FakeEngine::respond_started(ByteView command, const CommandHeader& header) {
  if (is_long_running(version_, header.code) && !wait_while_held()) {
    return error(rc::canceled);
  }
  switch (header.code) {
    case cc::get_random:
      return random_response(command);
    case kRemember:
      return remember(command);
    case kRecall:
      return recall(command);
    case cc::shutdown:
    case cc::self_test:
    case cc::create_primary:
      return success();
    default:
      return error(rc::command_code);
  }
}

Bytes FakeEngine::remember(ByteView command) {
  if (!store_.store({version_, BlobKind::permanent}, command.subspan(kHeaderSize))) {
    failure_mode_ = true;
    return failure_response(version_);
  }
  return success();
}

Bytes FakeEngine::recall(ByteView command) {
  auto kept = store_.load({version_, BlobKind::permanent});
  bool same = kept && std::ranges::equal(*kept, command.subspan(kHeaderSize));
  return same ? success() : error(ResponseCode{0x14A});
}

void FakeEngine::cancel() {
  MutexLock lock(mutex_);
  canceled_ = true;
  changed_.notify_all();
}

BufferSizes FakeEngine::buffer_size(uint32_t wanted) {
  if (wanted != 0 && !on_) {
    sizes_.size = std::clamp(wanted, sizes_.min, sizes_.max);
  }
  return sizes_;
}

void FakeEngine::hold_long_commands() {
  MutexLock lock(mutex_);
  hold_ = true;
}

void FakeEngine::release() {
  MutexLock lock(mutex_);
  hold_ = false;
  changed_.notify_all();
}

void FakeEngine::wait_until_held() {
  MutexLock lock(mutex_);
  while (!held_) {
    changed_.wait(mutex_);
  }
}

// False when a cancel ended it.
bool FakeEngine::wait_while_held() {
  MutexLock lock(mutex_);
  canceled_ = false;
  held_ = true;
  changed_.notify_all();
  while (hold_ && !canceled_) {
    changed_.wait(mutex_);
  }
  held_ = false;
  return !canceled_;
}

}  // namespace vtpm
