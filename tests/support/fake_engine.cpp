#include "tests/support/fake_engine.h"

#include <algorithm>

#include "engine/command/command_traits.h"

namespace vtpm {
namespace {

constexpr uint16_t kNoSessions = 0x8001;
constexpr std::byte kNotStarted{0xfe};

// TPM result codes.
constexpr uint32_t kFail = 0x09;
constexpr uint32_t kBadType = 0x34;
constexpr uint32_t kBadLocality = 0x3d;
constexpr uint32_t kRetry = 0x800;

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
  if (auto loaded = load_permanent(); !loaded) {
    return tl::unexpected(loaded.error());
  }
  auto resumed = resume(stored);
  given_ = {};
  on_ = resumed.has_value();
  started_ = resumed && *resumed == PoweredOn::resumed;
  return resumed;
}

Result<void> FakeEngine::load_permanent() {
  BlobName name{version_, BlobKind::permanent};
  if (given_.permanent) {
    auto stored = store_.store(name, *given_.permanent);
    if (stored) {
      permanent_ = *given_.permanent;
      unstored_.reset();
    }
    return stored;
  }
  if (unstored_) {
    return {};
  }
  auto stored = store_.load(name);
  if (!stored && stored.error().code != Errc::not_found) {
    return tl::unexpected(stored.error());
  }
  if (!stored && !may_manufacture) {
    return failure(Errc::not_found, "there is no TPM state, and making a new TPM was not allowed");
  }
  permanent_ = stored ? *stored : Bytes(4);
  return stored ? Result<void>() : store_.store(name, permanent_);
}

Result<PoweredOn> FakeEngine::resume(StoredVolatile stored) {
  BlobName name{version_, BlobKind::volatile_state};
  auto found = given_.volatile_state ? *given_.volatile_state : store_.load(name);
  volatile_ = found ? *found : Bytes();
  if (stored == StoredVolatile::discard) {
    if (auto removed = store_.remove(name); !removed) {
      return tl::unexpected(removed.error());
    }
  }
  if (!found) {
    return PoweredOn::reset;
  }
  bool started = volatile_.empty() || volatile_[0] != kNotStarted;
  return started ? PoweredOn::resumed : PoweredOn::resumed_before_startup;
}

void FakeEngine::power_off() {
  commands_at_power_off = commands;
  on_ = false;
  started_ = false;
  failure_mode_ = false;
}

Result<void> FakeEngine::require_on() const {
  return on_ ? Result<void>() : failure(Errc::wrong_phase, "the TPM is off");
}

Result<ByteView> FakeEngine::execute(ByteView command, Locality locality,
                                     const std::atomic<bool>& canceled) {
  before_execute();
  if (!on_) {
    return failure(Errc::wrong_phase, "the TPM is off");
  }
  last_locality = locality;
  commands.emplace_back(command.begin(), command.end());
  Command received(command);
  if (!received.has_header() || received.declared_size() != command.size()) {
    response_ = error(ResponseCode{0x142});  // TPM_RC_COMMAND_SIZE
    return ByteView(response_);
  }
  executed.push_back(received.code());
  if (!answers.empty()) {
    response_ = error(answers.front());
    answers.pop_front();
    return ByteView(response_);
  }
  undone_.reset();
  response_ = respond(received, canceled);
  static_cast<void>(store_unstored());
  return undone_ ? Result<ByteView>(tl::unexpected(*undone_)) : ByteView(response_);
}

Bytes FakeEngine::respond(const Command& command, const std::atomic<bool>& canceled) {
  if (failure_mode_) {
    return failure_response(version_);
  }
  CommandCode startup = version_ == TpmVersion::tpm20 ? cc::startup : ordinal::startup;
  if (command.code() == startup) {
    bool again = std::exchange(started_, true);
    return again ? error(rc::initialize) : success();
  }
  if (std::ranges::equal(command.bytes(), lockout_query())) {
    constexpr uint32_t kFirst = 0x20E;
    Bytes properties = BigEndianWriter()
                           .u8(1)
                           .u32(6)
                           .u32(4)
                           .u32(kFirst)
                           .u32(lockout.failed)
                           .u32(kFirst + 1)
                           .u32(lockout.limit)
                           .u32(kFirst + 2)
                           .u32(lockout.interval)
                           .u32(kFirst + 3)
                           .u32(lockout.recovery)
                           .take();
    return success(properties);
  }
  if (command.code() == cc::get_capability) {
    return success(as_bytes("capability"));
  }
  if (!started_) {
    return error(rc::initialize);
  }
  if (is_long_running(version_, command.code()) && !wait_while_held(canceled)) {
    return error(rc::canceled);
  }
  return respond_started(command);
}

Bytes FakeEngine::respond_started(const Command& command) {
  switch (command.code()) {
    case cc::get_random:
      return random_response(command.bytes());
    case kRemember:
      return remember(command.bytes());
    case kRecall:
      return recall(command.bytes());
    case kExtend:
      return extend(command.bytes());
    case kGuess:
      return count_guess();
    case kBreak:
      failure_mode_ = true;
      return failure_response(version_);
    case kExtended:
      return success(volatile_);
    case cc::shutdown:
    case cc::self_test:
    case cc::create_primary:
      return success();
    default:
      return error(rc::command_code);
  }
}

Bytes FakeEngine::remember(ByteView command) {
  ByteView value = command.subspan(kHeaderSize);
  if (auto stored = store_.store({version_, BlobKind::permanent}, value); !stored) {
    undone_ = stored.error();
    return {};
  }
  permanent_.assign(value.begin(), value.end());
  unstored_.reset();
  return success();
}

Bytes FakeEngine::count_guess() {
  permanent_.back() = static_cast<std::byte>(std::to_integer<int>(permanent_.back()) + 1);
  unstored_ = Error{Errc::io, "not tried yet"};
  return error(kWrong);
}

Result<void> FakeEngine::store_unstored() {
  if (!unstored_) {
    return {};
  }
  auto stored = store_.store({version_, BlobKind::permanent}, permanent_);
  unstored_ = stored ? std::nullopt : std::optional(stored.error());
  return stored;
}

Bytes FakeEngine::recall(ByteView command) const {
  bool same = std::ranges::equal(permanent_, command.subspan(kHeaderSize));
  return same ? success() : error(ResponseCode{0x14A});
}

Bytes FakeEngine::extend(ByteView command) {
  ByteView value = command.subspan(kHeaderSize);
  volatile_.insert(volatile_.end(), value.begin(), value.end());
  return success();
}

// -- cancel --

Result<void> FakeEngine::cancel() {
  if (version_ == TpmVersion::tpm12) {
    return failure(Errc::unsupported, "a TPM 1.2 cannot cancel a command", kFail);
  }
  MutexLock lock(mutex_);
  canceled_ = held_;
  changed_.notify_all();
  return {};
}

// -- established flag and hash interface --

Result<bool> FakeEngine::established() {
  auto on = require_on();
  return on ? Result<bool>(established_) : tl::unexpected(on.error());
}

Result<void> FakeEngine::reset_established(Locality locality) {
  if (auto on = require_on(); !on) {
    return on;
  }
  if (locality < Locality{3}) {
    return failure(Errc::tpm, "not from this locality", kBadLocality);
  }
  established_ = false;
  return {};
}

Result<void> FakeEngine::hash_start() {
  if (auto on = require_on(); !on) {
    return on;
  }
  established_ = true;
  hashed.clear();
  return {};
}

Result<void> FakeEngine::hash_data(ByteView data) {
  if (auto on = require_on(); !on) {
    return on;
  }
  hashed.insert(hashed.end(), data.begin(), data.end());
  return {};
}

Result<void> FakeEngine::hash_end() {
  return require_on();
}

// -- state --

Result<Bytes> FakeEngine::get_state(BlobKind kind) {
  if (auto on = require_on(); !on) {
    return tl::unexpected(on.error());
  }
  switch (kind) {
    case BlobKind::permanent:
      return permanent_;
    case BlobKind::volatile_state:
      return !started_ ? Bytes{kNotStarted} : volatile_.empty() ? Bytes(1) : volatile_;
    default:
      return failure(Errc::not_found, "this TPM has no state of that kind", kRetry);
  }
}

Result<void> FakeEngine::set_state(BlobKind kind, ByteView blob) {
  if (on_) {
    return failure(Errc::wrong_phase, "the TPM is on");
  }
  bool garbage = !blob.empty() && (blob[0] == std::byte{0xff} || kind == BlobKind::savestate);
  bool without_permanent = kind == BlobKind::volatile_state && !blob.empty() && !given_.permanent &&
                           !store_.load({version_, BlobKind::permanent});
  if (garbage || without_permanent) {
    given_ = {};
    return failure(Errc::tpm, "no usable state", garbage ? kBadType : kRetry);
  }
  auto value = blob.empty() ? std::nullopt : std::optional(Bytes(blob.begin(), blob.end()));
  if (kind == BlobKind::permanent) {
    given_.permanent = value;
  } else if (kind == BlobKind::volatile_state) {
    given_.volatile_state = value;
  }
  return {};
}

Result<void> FakeEngine::set_version(TpmVersion version) {
  if (on_) {
    return failure(Errc::wrong_phase, "the TPM is on");
  }
  given_ = {};
  version_ = version;
  return {};
}

Result<std::string> FakeEngine::info(uint64_t what) {
  described = what;
  return description;
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
bool FakeEngine::wait_while_held(const std::atomic<bool>& canceled) {
  MutexLock lock(mutex_);
  canceled_ = canceled;
  held_ = true;
  changed_.notify_all();
  while (hold_ && !canceled_) {
    changed_.wait(mutex_);
  }
  held_ = false;
  return !canceled_;
}

}  // namespace vtpm
