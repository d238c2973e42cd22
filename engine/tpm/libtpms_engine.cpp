#include "engine/tpm/libtpms_engine.h"

// libtpms' headers are C and warn under our flags.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_nvfilename.h>
#include <libtpms/tpm_tis.h>
#include <libtpms/tpm_types.h>
#pragma GCC diagnostic pop

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "engine/base/file_descriptor.h"
#include "engine/command/codec.h"
#include "engine/tpm/cancel_window.h"
#include "engine/tpm/commits.h"
#include "engine/tpm/library_failure.h"
#include "engine/tpm/unstored_changes.h"

namespace vtpm {
namespace {

class Adapter;

// libtpms' callbacks carry no context: this is the single unavoidable static, set while an Adapter
// lives.
std::atomic<Adapter*> the_adapter = nullptr;

std::string in_words(TPM_RESULT result) {
  std::array<char, 16> text{};
  static_cast<void>(std::snprintf(text.data(), text.size(), "0x%x", result));
  return text.data();
}

std::optional<BlobKind> kind_of(const char* name) {
  std::string_view wanted = name;
  if (wanted == TPM_PERMANENT_ALL_NAME) {
    return BlobKind::permanent;
  }
  if (wanted == TPM_VOLATILESTATE_NAME) {
    return BlobKind::volatile_state;
  }
  if (wanted == TPM_SAVESTATE_NAME) {
    return BlobKind::savestate;
  }
  return std::nullopt;
}

class Adapter final : public LibtpmsEngine, private RestorableTpm {
 public:
  Adapter(LibtpmsOptions options, StateStore& store)
      : options_(std::move(options)),
        version_(options_.version),
        store_(store),
        changes_(store),
        commits_(changes_, store, *this),
        command_(kMaxMessage) {
    // When it fails, libtpms prints the whole command, authorisation values included, to standard
    // error unless it is told where else.
    TPMLIB_SetDebugFD(silence_.get());
  }

  ~Adapter() override {
    power_off();
    std::free(response_);  // NOLINT: libtpms reallocs it
    Adapter* self = this;
    the_adapter.compare_exchange_strong(self, nullptr);
  }

  Result<void> set_version(TpmVersion version) override {
    if (on_) {
      return not_while_on();
    }
    if (lost_) {
      return broken();
    }
    auto chosen = version == TpmVersion::tpm20 ? TPMLIB_TPM_VERSION_2 : TPMLIB_TPM_VERSION_1_2;
    TPM_RESULT result = contained([&] { return TPMLIB_ChooseTPMVersion(chosen); });
    if (result != TPM_SUCCESS) {
      return failure(Errc::unsupported, "libtpms " + libtpms_version() +
                                            " cannot run this TPM version (result " +
                                            in_words(result) + ")");
    }
    if (version != version_) {
      given_ = {};  // the library has forgotten all of it
    }
    version_ = version;
    return {};
  }

  [[nodiscard]] TpmVersion version() const override { return version_; }

  Result<PoweredOn> power_on(StoredVolatile stored) override {
    if (lost_) {
      return broken();
    }
    store_error_.reset();
    broken_ = failure_mode_ = false;
    if (auto allowed = check_state_exists(); !allowed) {
      return tl::unexpected(allowed.error());
    }
    register_callbacks();
    // Buffer size, profile and version are the library's until Terminate or for good; whichever it
    // forgets is said again before every MainInit.
    if (auto ready = set_profile(); !ready) {
      return tl::unexpected(ready.error());
    }
    changes_.keep();
    auto before = changes_.kept();
    if (auto inited = main_init(); !inited) {
      end_library();  // MainInit leaves the library half-initialised when it fails
      changes_.replace(std::move(before));
      rinse();
      return lost_ ? broken() : tl::unexpected(inited.error());
    }
    on_ = true;
    if (stored == StoredVolatile::discard) {
      if (auto removed = store_.remove({version_, BlobKind::volatile_state}); !removed) {
        power_off();
        return tl::unexpected(removed.error());
      }
    }
    return resumed_ ? ask_whether_started() : PoweredOn::reset;
  }

  void power_off() override {
    if (on_) {
      end_library();
    }
    on_ = false;
    failure_mode_ = lost_;
  }

  Result<ByteView> execute(ByteView command, Locality locality,
                           const std::atomic<bool>& canceled) override {
    if (!on_) {
      return off();
    }
    if (command.size() > kMaxMessage) {
      return failure(Errc::invalid, "a command of more than 4096 bytes");
    }
    locality_ = locality;
    auto begun = commits_.begin(version_, command);
    if (!on_) {
      return off();  // the copy of the TPM found it broken
    }
    ByteView response = process(command, canceled);
    if (lost_) {
      return broken();
    }
    bool succeeded = response_code(response) == rc::success;
    if (auto stored = commits_.end(begun, succeeded); !stored) {
      return tl::unexpected(stored.error());
    }
    failure_mode_ = failure_mode_ || tells_failure_mode(response);
    return response;
  }

  Result<ByteView> query(ByteView command) override {
    if (!on_) {
      return off();
    }
    if (command.size() > kMaxMessage) {
      return failure(Errc::invalid, "a command of more than 4096 bytes");
    }
    locality_ = Locality{0};
    ByteView response = process(command, std::atomic<bool>(false));
    if (lost_) {
      return broken();
    }
    failure_mode_ = failure_mode_ || tells_failure_mode(response);
    return response;
  }

  [[nodiscard]] bool in_failure_mode() const override { return failure_mode_; }

  Result<void> cancel() override {
    if (version_ != TpmVersion::tpm20) {
      return failure(Errc::unsupported, "a TPM 1.2 cannot cancel a command", TPM_FAIL);
    }
    cancel_window_.cancel();
    return {};
  }

  [[nodiscard]] const Error* unstored() const override { return changes_.reason(); }

  Result<void> store_unstored() override {
    return changes_.empty() ? Result<void>() : changes_.commit();
  }

  void drop_unstored() override { changes_.replace({}); }

  Result<bool> established() override {
    TPM_BOOL established = 0;
    auto asked = while_on([&] { return TPM_IO_TpmEstablished_Get(&established); });
    return asked ? Result<bool>(established != 0) : tl::unexpected(asked.error());
  }

  Result<void> reset_established(Locality locality) override {
    locality_ = locality;
    return durably(TPM_IO_TpmEstablished_Reset);
  }

  Result<void> hash_start() override { return durably(TPM_IO_Hash_Start); }

  Result<void> hash_data(ByteView data) override {
    return durably([&] { return TPM_IO_Hash_Data(library_bytes(data), size_of(data)); });
  }

  Result<void> hash_end() override { return durably(TPM_IO_Hash_End); }

  Result<Bytes> get_state(BlobKind kind) override {
    unsigned char* data = nullptr;
    uint32_t size = 0;
    auto got = while_on([&] { return TPMLIB_GetState(state_type(kind), &data, &size); });
    std::unique_ptr<unsigned char, decltype(&std::free)> owner(data, std::free);
    if (!got) {
      return tl::unexpected(got.error());
    }
    if (size == 0) {
      return failure(Errc::not_found, "this TPM has no state of that kind", TPM_RETRY);
    }
    auto view = std::as_bytes(std::span(data, size));
    Bytes blob(view.begin(), view.end());
    explicit_bzero(data, size);
    return blob;
  }

  Result<void> set_state(BlobKind kind, ByteView blob) override {
    if (on_) {
      return not_while_on();
    }
    if (lost_) {
      return broken();
    }
    register_callbacks();
    // The library takes a null pointer for "explicitly empty".
    const unsigned char* data = blob.empty() ? nullptr : library_bytes(blob);
    auto set =
        checked(contained([&] { return TPMLIB_SetState(state_type(kind), data, size_of(blob)); }));
    if (!set) {
      given_ = {};  // the library has forgotten all of it
      rinse();
    } else if (kind == BlobKind::permanent) {
      given_.permanent = !blob.empty();
    } else if (kind == BlobKind::volatile_state) {
      given_.volatile_state = !blob.empty();
    }
    return set;
  }

  void forget_state() override {
    if (!on_ && (given_.permanent || given_.volatile_state)) {
      // The library forgets all of it when one is refused; there is no call for that alone.
      const unsigned char refused = 0;
      contained([&] { return TPMLIB_SetState(TPMLIB_STATE_PERMANENT, &refused, sizeof(refused)); });
    }
    given_ = {};
  }

  Result<std::string> info(uint64_t what) override {
    const bool was_on = on_;
    char* given = nullptr;
    contained([&] {
      given = TPMLIB_GetInfo(static_cast<TPMLIB_InfoFlags>(what));
      return TPM_RESULT{TPM_SUCCESS};
    });
    if (left_) {
      return was_on ? give_up() : broken();
    }
    std::unique_ptr<char, decltype(&std::free)> text(given, std::free);
    if (!text) {
      return failure(Errc::io, "libtpms gives no description", TPM_SIZE);
    }
    return std::string(text.get());
  }

  BufferSizes buffer_size(uint32_t wanted) override {
    const bool was_on = on_;
    BufferSizes sizes{};
    contained([&] {
      sizes.size = TPMLIB_SetBufferSize(on_ ? 0 : wanted, &sizes.min, &sizes.max);
      return TPM_RESULT{TPM_SUCCESS};
    });
    if (!left_) {
      buffer_sizes_ = sizes;
    } else if (was_on) {
      give_up();
    }
    return buffer_sizes_;
  }

  // -- What the callbacks do, as C++ --

  Result<Bytes> load(const char* name) {
    auto kind = kind_of(name);
    if (!kind || rinsing_) {
      return failure(Errc::not_found, std::string("no state is named ") + name);
    }
    if (const auto* wanted = changes_.find({version_, *kind})) {
      return *wanted ? Result<Bytes>((*wanted)->get())
                     : Result<Bytes>(failure(Errc::not_found, "it was removed"));
    }
    auto blob = load_stored(*kind);
    resumed_ = resumed_ || (blob && *kind == BlobKind::volatile_state);
    return blob;
  }

  // What the library stores and removes is done when it has returned: a store that fails within a
  // command would put it into failure mode for good.
  Result<void> store(const char* name, ByteView data) {
    return change(name, WipedBytes(Bytes(data.begin(), data.end())));
  }

  Result<void> remove(const char* name) {
    return kind_of(name) ? change(name, std::nullopt) : Result<void>();
  }

  // The store threw instead of answering, for want of memory most likely.
  void note_exception() noexcept {
    if (!store_error_) {
      store_error_.emplace(Error{Errc::io, "out of memory"});  // short: not allocated
    }
  }

  [[nodiscard]] Locality locality() const { return locality_; }

 private:
  void register_callbacks();

  static const unsigned char* library_bytes(ByteView bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());  // NOLINT: C's bytes
  }
  static uint32_t size_of(ByteView bytes) { return static_cast<uint32_t>(bytes.size()); }

  static TPMLIB_StateType state_type(BlobKind kind) {
    switch (kind) {
      case BlobKind::permanent:
        return TPMLIB_STATE_PERMANENT;
      case BlobKind::volatile_state:
        return TPMLIB_STATE_VOLATILE;
      case BlobKind::savestate:
        return TPMLIB_STATE_SAVE_STATE;
    }
    return TPMLIB_STATE_PERMANENT;
  }

  static tl::unexpected<Error> not_while_on() {
    return failure(Errc::wrong_phase, "the TPM is on");
  }

  static Result<void> checked(TPM_RESULT result) {
    if (result != TPM_SUCCESS) {
      return failure(Errc::tpm, "libtpms refuses (result " + in_words(result) + ")", result);
    }
    return {};
  }

  template <class Call>
  Result<void> while_on(Call call) {
    if (!on_) {
      return off();
    }
    auto done = checked(contained(call));
    return left_ ? give_up() : done;
  }

  // The library left a call while the TPM was on: nothing can be said of what it holds.
  tl::unexpected<Error> give_up() {
    power_off();
    broken_ = failure_mode_ = true;
    rinse();
    return broken();
  }

  // A call that is no command. What the library cannot bear ends the call and not the process.
  // This and process() are the only ways into the library, and closed when it is lost.
  template <class Call>
  TPM_RESULT contained(Call call) {
    TPM_RESULT result = TPM_FAIL;
    left_ = lost_;
    if (lost_) {
      return result;
    }
    note_end(guarded_from_failure(FailingJump::to_guard, [&] { result = call(); }));
    return result;
  }

  // Of a call that the library left nothing is stored; what it wanted stored before still is.
  void note_end(GuardedEnd end) {
    left_ = end != GuardedEnd::returned;
    if (left_) {
      changes_.drop_new();
    }
    if (end == GuardedEnd::memory_fault) {
      broken_ = lost_ = failure_mode_ = true;
      on_ = false;
    }
  }

  void end_library() {
    contained([] {
      TPMLIB_Terminate();
      return TPM_RESULT{TPM_SUCCESS};
    });
  }

  [[nodiscard]] tl::unexpected<Error> off() const {
    return broken_ ? broken() : failure(Errc::wrong_phase, "the TPM is off");
  }

  [[nodiscard]] tl::unexpected<Error> broken() const {
    if (!lost_) {
      return failure(Errc::tpm, "an internal check of libtpms failed: its state is not sound");
    }
    return failure(Errc::tpm,
                   "libtpms made a memory error with this state and is not called any more. What "
                   "is stored is as it was: end this TPM's daemon and start it again");
  }

  // A blob that the library refused has left pieces in its globals, which MainInit does not clear
  // and the next TPM would stumble over. A new TPM that nobody sees clears them.
  void rinse() {
    if (version_ != TpmVersion::tpm20 || lost_) {
      return;
    }
    register_callbacks();
    rinsing_ = true;
    Bytes startup = startup_command(TpmVersion::tpm20, StartupType::clear);
    std::ranges::copy(startup, command_.begin());
    uint32_t size = 0;
    contained([&] {
      TPM_RESULT result = TPMLIB_MainInit();
      return result != TPM_SUCCESS
                 ? result
                 : TPMLIB_Process(&response_, &size, &response_capacity_,
                                  reinterpret_cast<unsigned char*>(command_.data()),  // NOLINT
                                  static_cast<uint32_t>(startup.size()));
    });
    end_library();
    rinsing_ = false;
  }

  // -- Commits --

  // What is stored may be damaged, or sealed with another key: that is why another state was given.
  Result<Bytes> load_stored(BlobKind kind) {
    if (superseded_ && kind == BlobKind::permanent) {
      return failure(Errc::not_found, "another state was given in its place");
    }
    auto blob = store_.load({version_, kind});
    bool unreadable =
        !blob && (blob.error().code == Errc::corrupt || blob.error().code == Errc::denied);
    if (superseded_ && unreadable) {
      return failure(Errc::not_found, blob.error().message);
    }
    return remember(std::move(blob));
  }

  // It may be in its failure mode.
  std::optional<TpmCopy> copy() override {
    auto permanent = get_state(BlobKind::permanent);
    auto volatile_state = get_state(BlobKind::volatile_state);
    if (failure_mode_ || !permanent || !volatile_state) {
      return std::nullopt;
    }
    return TpmCopy{WipedBytes(std::move(*permanent)), WipedBytes(std::move(*volatile_state))};
  }

  Result<void> change(const char* name, UnstoredChanges::Wanted to) {
    auto kind = kind_of(name);
    if (!kind) {
      return failure(Errc::unsupported, std::string("no place for state named ") + name);
    }
    if (!restoring_ && !rinsing_) {
      changes_.want({version_, *kind}, std::move(to));
    }
    return {};
  }

  // Begins the library anew and stores what that changed: a new TPM, a state that was given, one in
  // an older format. What was unstored before may stay so.
  Result<void> main_init() {
    resumed_ = given_.volatile_state;
    superseded_ = given_.permanent;
    given_ = {};
    if (superseded_) {
      changes_.forget({version_, BlobKind::permanent});
    }
    TPM_RESULT result = contained(TPMLIB_MainInit);
    superseded_ = false;
    if (result != TPM_SUCCESS || store_error_) {
      return power_on_failure(result);
    }
    commits_.note_power_on(version_, resumed_);
    bool changed = changes_.any_new();
    auto committed = changes_.commit();
    return changed ? committed : Result<void>();
  }

  void go_back_to(const std::optional<TpmCopy>& copy) override {
    if (!copy || !begin_anew_from(*copy)) {
      power_off();
      failure_mode_ = true;
    }
  }

  bool begin_anew_from(const TpmCopy& copy) {
    end_library();
    on_ = false;
    restoring_ = true;
    bool restored = set_state(BlobKind::permanent, copy.permanent.get()) &&
                    set_state(BlobKind::volatile_state, copy.volatile_state.get()) &&
                    contained(TPMLIB_MainInit) == TPM_SUCCESS;
    restoring_ = false;
    given_ = {};
    if (!restored) {
      end_library();
    }
    on_ = restored;
    return restored && answers();
  }

  // A TPM 1.2 is not asked: it would take the question for the end of its saved state.
  bool answers() {
    if (version_ == TpmVersion::tpm12) {
      return true;
    }
    ByteView answer = process(started_query(version_), std::atomic<bool>(false));
    changes_.keep();
    return !failure_mode_ && response_code(answer) != rc::failure;
  }

  // A volatile state may be of a TPM that nobody had started. The question leaves no trace: a TPM
  // 1.2 takes it for the end of its saved state.
  Result<PoweredOn> ask_whether_started() {
    auto before = version_ == TpmVersion::tpm12 ? copy() : std::nullopt;
    ByteView answer = process(started_query(version_), std::atomic<bool>(false));
    ResponseCode code = response_code(answer);
    if (before && changes_.any_new()) {
      changes_.drop_new();
      failure_mode_ = failure_mode_ || !begin_anew_from(*before);
    }
    static_cast<void>(changes_.commit());  // or later
    if (failure_mode_ || tells_failure_mode(answer)) {
      power_off();
      return broken_ ? broken() : failure(Errc::tpm, "the TPM that was resumed is in failure mode");
    }
    return code == not_started_code(version_) ? PoweredOn::resumed_before_startup
                                              : PoweredOn::resumed;
  }

  // A call that may write, other than a command.
  template <class Call>
  Result<void> durably(Call call) {
    auto begun = commits_.begin_call(version_);
    auto done = while_on(call);
    auto stored = commits_.end(begun, done.has_value());
    return stored ? done : stored;
  }

  // Of a TPM that a call before has broken, the answer is a failure.
  ByteView process(ByteView command, const std::atomic<bool>& canceled) {
    if (!on_) {
      return fail();
    }
    // libtpms takes the command by a pointer to non-const.
    std::ranges::copy(command, command_.begin());
    uint32_t size = 0;
    cancel_window_.open();
    if (canceled) {
      cancel_window_.cancel();
    }
    TPM_RESULT result = TPM_FAIL;
    GuardedEnd end = guarded_from_failure(FailingJump::to_library, [&] {
      result = TPMLIB_Process(&response_, &size, &response_capacity_,
                              reinterpret_cast<unsigned char*>(command_.data()),  // NOLINT
                              static_cast<uint32_t>(command.size()));
    });
    cancel_window_.close();
    note_end(end);
    if (result != TPM_SUCCESS || size < kHeaderSize) {
      return fail();
    }
    return std::as_bytes(std::span(response_, size));
  }

  ByteView fail() {
    failure_mode_ = true;
    fallback_ = failure_response(version_);
    return fallback_;
  }

  Result<void> check_state_exists() {
    BlobName name{version_, BlobKind::permanent};
    if (options_.may_manufacture || given_.permanent || changes_.find(name) != nullptr) {
      return {};
    }
    auto permanent = store_.load(name);
    if (!permanent && permanent.error().code == Errc::not_found) {
      return failure(Errc::not_found, "there is no TPM state (" + permanent.error().message +
                                          "), and making a new TPM was not allowed");
    }
    return {};
  }

  Result<void> set_profile() {
#ifdef VTPM_HAVE_TPMLIB_SETPROFILE
    if (!options_.profile.empty()) {
      TPM_RESULT result = contained([&] { return TPMLIB_SetProfile(options_.profile.c_str()); });
      if (lost_) {
        return broken();
      }
      if (result != TPM_SUCCESS) {
        return failure(Errc::invalid, "libtpms refuses the profile " + options_.profile +
                                          " (result " + in_words(result) + ")");
      }
    }
#endif
    return {};
  }

  [[nodiscard]] tl::unexpected<Error> power_on_failure(TPM_RESULT result) const {
    if (store_error_) {
      return tl::unexpected(*store_error_);
    }
    return failure(Errc::tpm, "libtpms cannot use the state in " + store_.describe() + " (result " +
                                  in_words(result) + ")");
  }

  // A TPM 2.0 answers everything but two queries with TPM_RC_FAILURE from then on, a TPM 1.2 with
  // TPM_FAILEDSELFTEST. A failed load leads there too, with either version.
  [[nodiscard]] bool tells_failure_mode(ByteView response) const {
    ResponseCode failed = version_ == TpmVersion::tpm20 ? rc::failure : rc::tpm12_failed_self_test;
    return store_error_.has_value() || response_code(response) == failed;
  }

  // Keeps the first real failure for the message; "not there" is an answer, not a failure.
  template <class T>
  Result<T> remember(Result<T> result) {
    if (!result && result.error().code != Errc::not_found && !store_error_) {
      store_error_ = result.error();
    }
    return result;
  }

  const LibtpmsOptions options_;
  std::atomic<TpmVersion> version_;
  StateStore& store_;
  const FileDescriptor silence_{::open("/dev/null", O_WRONLY | O_CLOEXEC)};  // NOLINT
  bool on_ = false;
  bool failure_mode_ = false;
  bool resumed_ = false;  // a volatile blob was loaded since power_on() began
  struct {
    bool permanent = false;
    bool volatile_state = false;
  } given_;                  // by set_state(), for the next power_on()
  bool superseded_ = false;  // during power_on(): the permanent state is the one that was given
  Locality locality_{};
  std::optional<Error> store_error_;
  UnstoredChanges changes_;  // what the library wants to have in the store and is not there
  Commits commits_;
  bool restoring_ = false;  // what the library stores now is stored already
  bool rinsing_ = false;    // what the library loads and stores now is nobody's
  bool left_ = false;       // the last guarded call, by the library, instead of returning
  bool broken_ = false;     // it did so while the TPM was on, which is therefore off
  bool lost_ = false;       // the library made a memory error
  BufferSizes buffer_sizes_{kMaxMessage, kMaxMessage, kMaxMessage};  // what the library said last
  Bytes command_;
  Bytes fallback_;
  unsigned char* response_ = nullptr;  // malloc'ed and kept by libtpms' rules, freed by us
  uint32_t response_capacity_ = 0;
  CancelWindow cancel_window_{[] { TPMLIB_CancelCommand(); }};
};

// -- Callbacks. No exception may pass through libtpms, which is C and leaves commands by longjmp;
// no C++ object of ours is alive below a call back into libtpms. --

template <class Body>
TPM_RESULT guarded(Body body) noexcept {
  Adapter& adapter = *the_adapter.load();
  try {
    return body(adapter);
  } catch (...) {
    adapter.note_exception();
    return TPM_FAIL;
  }
}

TPM_RESULT nvram_init() {
  return TPM_SUCCESS;
}

TPM_RESULT nvram_load(unsigned char** data, uint32_t* length, uint32_t /*tpm_number*/,
                      const char* name) {
  return guarded([&](Adapter& adapter) -> TPM_RESULT {
    auto blob = adapter.load(name).map([](Bytes bytes) { return WipedBytes(std::move(bytes)); });
    if (!blob) {
      // "Not there" has to be TPM_RETRY; anything else is fatal to libtpms.
      return blob.error().code == Errc::not_found ? TPM_RETRY : TPM_FAIL;
    }
    ByteView bytes = blob->get();
    if (bytes.empty()) {
      return TPM_FAIL;
    }
    // libtpms frees it. Not TPM_Malloc: that refuses more than 128 KiB, which a full NV exceeds.
    auto* copy = static_cast<unsigned char*>(std::malloc(bytes.size()));  // NOLINT
    if (copy == nullptr) {
      return TPM_SIZE;
    }
    std::memcpy(copy, bytes.data(), bytes.size());
    *data = copy;
    *length = static_cast<uint32_t>(bytes.size());
    return TPM_SUCCESS;
  });
}

TPM_RESULT nvram_store(const unsigned char* data, uint32_t length, uint32_t /*tpm_number*/,
                       const char* name) {
  return guarded([&](Adapter& adapter) -> TPM_RESULT {
    return adapter.store(name, std::as_bytes(std::span(data, length))) ? TPM_SUCCESS : TPM_FAIL;
  });
}

TPM_RESULT nvram_delete(uint32_t /*tpm_number*/, const char* name, TPM_BOOL must_exist) {
  return guarded([&](Adapter& adapter) -> TPM_RESULT {
    if (must_exist != 0 && !adapter.load(name)) {
      return TPM_FAIL;
    }
    return adapter.remove(name) ? TPM_SUCCESS : TPM_FAIL;
  });
}

TPM_RESULT io_init() {
  return TPM_SUCCESS;
}

TPM_RESULT io_locality(TPM_MODIFIER_INDICATOR* locality, uint32_t /*tpm_number*/) {
  return guarded([&](Adapter& adapter) -> TPM_RESULT {
    *locality = static_cast<TPM_MODIFIER_INDICATOR>(adapter.locality());
    return TPM_SUCCESS;
  });
}

TPM_RESULT io_physical_presence(TPM_BOOL* present, uint32_t /*tpm_number*/) {
  *present = 0;
  return TPM_SUCCESS;
}

void Adapter::register_callbacks() {
  libtpms_callbacks callbacks{};
  callbacks.sizeOfStruct = sizeof(callbacks);
  callbacks.tpm_nvram_init = nvram_init;
  callbacks.tpm_nvram_loaddata = nvram_load;
  callbacks.tpm_nvram_storedata = nvram_store;
  callbacks.tpm_nvram_deletename = nvram_delete;
  callbacks.tpm_io_init = io_init;
  callbacks.tpm_io_getlocality = io_locality;
  callbacks.tpm_io_getphysicalpresence = io_physical_presence;
  contained([&] { return TPMLIB_RegisterCallbacks(&callbacks); });
}

bool library_knows_profiles() {
#ifdef VTPM_HAVE_TPMLIB_SETPROFILE
  return true;
#else
  return false;
#endif
}

}  // namespace

Result<std::unique_ptr<LibtpmsEngine>> LibtpmsEngine::create(LibtpmsOptions options,
                                                             StateStore& store) {
  if (!options.profile.empty() && !library_knows_profiles()) {
    return failure(Errc::unsupported,
                   "profiles need libtpms 0.10 or newer; this is " + libtpms_version());
  }
  handle_memory_faults();
  auto adapter = std::make_unique<Adapter>(std::move(options), store);
  Adapter* expected = nullptr;
  if (!the_adapter.compare_exchange_strong(expected, adapter.get())) {
    return failure(Errc::busy, "libtpms can run one TPM per process, and this process has one");
  }
  if (auto chosen = adapter->set_version(adapter->version()); !chosen) {
    return tl::unexpected(chosen.error());
  }
  return adapter;
}

uint32_t libtpms_version_number() {
  return TPMLIB_GetVersion();
}

std::string libtpms_version() {
  return libtpms_version_text(libtpms_version_number());
}

}  // namespace vtpm
