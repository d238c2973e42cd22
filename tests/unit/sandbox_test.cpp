#include "cuse/sandbox/sandbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "cuse/daemon/log.h"
#include "engine/keys/crypto.h"
#include "engine/state/swtpm/dir_store.h"
#include "engine/tpm/libtpms_engine.h"
#include "tests/support/attempts.h"
#include "tests/support/commands.h"
#include "tests/support/datagram_receiver.h"
#include "tests/support/must.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::HasSubstr;

constexpr int kNoSandbox = 200;  // exit statuses besides errnos
constexpr int kNoLandlock = 201;

struct Ended {
  int status;  // exit status, or 256 + the signal that killed it
  std::string told;
};

// What `act` returns in a child that has entered the sandbox.
Ended in_sandbox(const Sandbox& sandbox, const std::function<int(FilesRestricted)>& act) {
  testing::internal::CaptureStderr();
  pid_t child = fork();
  if (child == 0) {
    log::configure(log::Level::info, "vtpmd");
    must(load_crypto());
    auto entered = enter_sandbox(sandbox);
    _exit(entered ? act(*entered) : kNoSandbox);
  }
  int status = 0;
  waitpid(child, &status, 0);
  std::string told = testing::internal::GetCapturedStderr();
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status), told};
}

class SandboxTest : public testing::Test {
 protected:
  // That runtime makes system calls of its own. The other builds run these tests.
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the filter refuses what the address sanitizer's runtime needs";
#endif
  }
  [[nodiscard]] Sandbox sandbox(SandboxMode mode = SandboxMode::on) const {
    return {.mode = mode,
            .run_as = {},
            .state = state_.path(),
            .tell_refused = log::error_from_signal_handler};
  }
  // For what only Landlock refuses.
  static int with_landlock(FilesRestricted files, int outcome) {
    return files == FilesRestricted::yes ? outcome : kNoLandlock;
  }

  TemporaryDirectory state_;
  TemporaryDirectory other_;
};

class SandboxAttempt : public SandboxTest, public testing::WithParamInterface<Attempt> {};

TEST_P(SandboxAttempt, Tried_HasTheOutcomeItShouldHave) {
  Ended ended = in_sandbox(sandbox(), [](FilesRestricted) { return GetParam().try_it(); });

  bool as_it_should =
      GetParam().has_to_work ? ended.status == 0 : ended.status == EPERM || ended.status == ENOSYS;
  EXPECT_TRUE(as_it_should) << ended.status << ", told: " << ended.told;
}

INSTANTIATE_TEST_SUITE_P(All, SandboxAttempt, testing::ValuesIn(attempts()), [](const auto& tried) {
  std::string name = tried.param.name;
  std::erase(name, '-');
  return name;
});

TEST_F(SandboxTest, RefusedCall_IsToldByNameOnce) {
  Ended ended = in_sandbox(sandbox(), [](FilesRestricted) {
    return execlp("/bin/true", "true", nullptr) + execlp("/bin/true", "true", nullptr);
  });

  EXPECT_EQ(ended.told,
            "vtpmd: refused the system call execve: not on vtpmd's list (see --sandbox)\n");
}

// 0, or errno.
int try_to_connect(int socket, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  // NOLINTNEXTLINE: the shape of socket addresses
  return connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
}

TEST_F(SandboxTest, SocketOfMessages_CanBeConnectedAgainAndNoOther) {
  DatagramReceiver syslog;
  FileDescriptor messages(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  FileDescriptor other(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  Sandbox wanted = sandbox();
  wanted.reconnects = messages.get();

  Ended allowed = in_sandbox(
      wanted, [&](FilesRestricted) { return try_to_connect(messages.get(), syslog.path()); });
  Ended refused = in_sandbox(
      wanted, [&](FilesRestricted) { return try_to_connect(other.get(), syslog.path()); });

  EXPECT_EQ(allowed.status, 0) << allowed.told;
  EXPECT_EQ(refused.status, EPERM);
}

TEST_F(SandboxTest, ListedCalls_AreNotTold) {
  Ended ended = in_sandbox(sandbox(), [](FilesRestricted) {
    int failed = 0;
    for (const Attempt& attempt : attempts()) {
      failed += attempt.has_to_work ? attempt.try_it() : 0;
    }
    return failed;
  });

  EXPECT_EQ(ended.told, "");
}

TEST_F(SandboxTest, StateDirectory_CanBeWritten) {
  Ended ended = in_sandbox(
      sandbox(), [&](FilesRestricted) { return try_to_write(state_ / "tpm2-00.permall"); });

  EXPECT_EQ(ended.status, 0) << ended.told;
}

// A new TPM of that version is made, stores itself, is asked, and comes up again from its state.
int live(TpmVersion version, StateStore& store) {
  auto engine =
      LibtpmsEngine::create({.version = version, .may_manufacture = true, .profile = {}}, store)
          .value();
  must(store.lock());
  for (int i = 0; i < 2; ++i) {
    engine->power_on(StoredVolatile::keep).value();
    engine->execute(startup_command(version, StartupType::clear), Locality{}).value();
    engine->execute(probe_command(version), Locality{}).value();
    Bytes volatile_state = engine->get_state(BlobKind::volatile_state).value();
    must(store.store({version, BlobKind::volatile_state}, volatile_state));
    must(store.remove({version, BlobKind::volatile_state}));
    engine->power_off();
  }
  return engine->in_failure_mode() ? 1 : 0;
}

class SandboxedTpm : public SandboxTest, public testing::WithParamInterface<TpmVersion> {};

TEST_P(SandboxedTpm, WholeLife_NeedsNothingThatIsRefused) {
  auto store = DirStore::open(state_.path(), CreateState::never).value();

  Ended ended = in_sandbox(sandbox(), [&](FilesRestricted) { return live(GetParam(), *store); });

  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.told, "");
}

INSTANTIATE_TEST_SUITE_P(Versions, SandboxedTpm,
                         testing::Values(TpmVersion::tpm20, TpmVersion::tpm12));

TEST_F(SandboxTest, OtherTpmsState_CannotBeRead) {
  other_.write("tpm2-00.permall", "secret");

  Ended ended = in_sandbox(sandbox(), [&](FilesRestricted files) {
    return with_landlock(files, try_to_read(other_ / "tpm2-00.permall"));
  });

  if (ended.status == kNoLandlock) {
    GTEST_SKIP() << "this kernel has no Landlock";
  }
  EXPECT_EQ(ended.status, EACCES) << ended.told;
}

TEST_F(SandboxTest, OutsideItsState_NothingCanBeWritten) {
  Ended ended = in_sandbox(sandbox(), [&](FilesRestricted files) {
    return with_landlock(files, try_to_write(other_ / "new"));
  });

  if (ended.status == kNoLandlock) {
    GTEST_SKIP() << "this kernel has no Landlock";
  }
  EXPECT_EQ(ended.status, EACCES) << ended.told;
}

TEST_F(SandboxTest, Entered_HasNoNewPrivilegesAndIsNotDumpable) {
  auto both = [](FilesRestricted) {
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) * 2 + prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
  };

  EXPECT_EQ(in_sandbox(sandbox(SandboxMode::log), both).status, 2);
  EXPECT_EQ(in_sandbox(sandbox(SandboxMode::off), both).status, 2);
}

TEST_F(SandboxTest, ModeLog_LetsUnlistedCallsThrough) {
  Ended ended =
      in_sandbox(sandbox(SandboxMode::log), [](FilesRestricted) { return kill(getpid(), 0); });

  EXPECT_EQ(ended.status, 0);
}

TEST_F(SandboxTest, ModeOff_LeavesFilesAlone) {
  Ended ended = in_sandbox(sandbox(SandboxMode::off),
                           [&](FilesRestricted) { return try_to_write(other_ / "new"); });

  EXPECT_EQ(ended.status, 0);
}

TEST_F(SandboxTest, MissingStateDirectory_IsAnErrorWhereLandlockNeedsIt) {
  Sandbox wanted = sandbox();
  wanted.state = state_ / "missing";

  Ended ended = in_sandbox(wanted, [](FilesRestricted) { return 0; });

  EXPECT_THAT(ended.status, testing::AnyOf(kNoSandbox, 0));  // 0: a kernel without Landlock
}

}  // namespace
}  // namespace vtpm
