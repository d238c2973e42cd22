#include "cuse/daemon/state_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::HasSubstr;

RunAs myself() {
  return {"me", geteuid(), getegid()};
}

const StateKeys kNoKeys;
const StateLocation kSomewhere{StateFormat::file, "/x"};

StateRequest directory(const std::string& path, CreateState create) {
  return {{StateFormat::dir, path}, create, Sync::full, false};
}

StateRequest file(const std::string& path, CreateState create) {
  return {{StateFormat::file, path}, create, Sync::full, false};
}

TEST(StateStorage, MissingFile_IsMadeForTheUserAlone) {
  TemporaryDirectory parent;

  auto store = open_state(file(parent / "web01", CreateState::if_missing), kNoKeys, myself());

  ASSERT_TRUE(store.has_value()) << store.error().message;
  EXPECT_EQ((*store)->describe(), "file:" + parent / "web01");
  struct stat status {};
  ASSERT_EQ(stat((parent / "web01").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
}

TEST(StateStorage, MissingFileNotToBeMade_IsNotFound) {
  TemporaryDirectory parent;

  auto store = open_state(file(parent / "web01", CreateState::never), kNoKeys, myself());

  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, Errc::not_found);
}

// 0: refused with a message that names the limit, and nothing was made.
int status_of_opening_under_a_limit(const StateRequest& request) {
  rlimit limit{4096, 4096};
  setrlimit(RLIMIT_FSIZE, &limit);
  auto store = open_state(request, kNoKeys, myself());
  bool named = !store && store.error().message.find("ulimit -f") != std::string::npos;
  return named && !std::filesystem::exists(request.location.path) ? 0 : 1;
}

TEST(StateStorage, LimitBelowTheSizeOfAState_IsToldBeforeAFileIsMade) {
  TemporaryDirectory parent;
  pid_t child = fork();
  if (child == 0) {
    _exit(status_of_opening_under_a_limit(file(parent / "web01", CreateState::if_missing)));
  }
  int status = -1;
  waitpid(child, &status, 0);

  EXPECT_EQ(status, 0);
}

TEST(StateStorage, ToBeWaitedFor_IsOpenedByItsLock) {
  TemporaryDirectory parent;
  StateRequest request = file(parent / "web01", CreateState::never);
  request.wait = true;
  auto store = open_state(request, kNoKeys, myself()).value();

  EXPECT_EQ(store->lock().error().code, Errc::not_found);
  parent.write("web01", "");
  EXPECT_TRUE(store->lock().has_value());
}

TEST(StateStorage, ReachablePath_IsTheStateOrTheNearestDirectoryThatIsThere) {
  TemporaryDirectory parent;
  StateRequest request = file(parent / "not/yet/state", CreateState::never);
  EXPECT_EQ(reachable_path(request), parent / "not/yet/state");

  request.wait = true;

  EXPECT_EQ(reachable_path(request), parent.path());
}

TEST(StateStorage, Keys_AreReadInTheFormOfTheFormat) {
  TemporaryDirectory parent;
  parent.write("words", "several words");

  auto of_file =
      read_state_keys(key_form(StateFormat::file), "pwdfile=" + parent / "words").value();
  auto of_dir = read_state_keys(key_form(StateFormat::dir), "pwdfile=" + parent / "words").value();

  EXPECT_EQ(of_file.file.kind, KeyKind::passphrase);
  EXPECT_TRUE(of_file.swtpm.empty());
  EXPECT_EQ(of_dir.swtpm.size(), 16u);
  EXPECT_TRUE(of_dir.file.empty());
  EXPECT_TRUE(read_state_keys(key_form(StateFormat::file), "").value().empty());
}

TEST(StateStorage, Missing_IsMadeForTheUserAlone) {
  TemporaryDirectory parent;

  auto store = open_state(directory(parent / "web01", CreateState::if_missing), kNoKeys, myself());

  ASSERT_TRUE(store.has_value()) << store.error().message;
  struct stat status {};
  ASSERT_EQ(stat((parent / "web01").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  EXPECT_EQ(status.st_uid, geteuid());
}

TEST(StateStorage, MissingAndNotToBeMade_IsNotFound) {
  TemporaryDirectory parent;

  auto store = open_state(directory(parent / "web01", CreateState::never), kNoKeys, myself());

  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, Errc::not_found);
  EXPECT_NE(access((parent / "web01").c_str(), F_OK), 0);
}

TEST(StateStorage, Afterwards_ThisProcessIsWhatItWas) {
  TemporaryDirectory parent;
  auto user = geteuid();
  auto group = getegid();

  auto store = open_state(directory(parent.path(), CreateState::never), kNoKeys, myself());

  EXPECT_EQ(geteuid(), user);
  EXPECT_EQ(getegid(), group);
}

TEST(StateStorage, Refusal_SaysWhomItHasToBelongTo) {
  Error refused{Errc::denied, "cannot open /x: Permission denied"};

  EXPECT_THAT(explain_refusal(refused, kSomewhere, RunAs{"vtpm", 1, 1}).message,
              HasSubstr("chown -R vtpm"));
}

TEST(StateStorage, OtherFailures_AreLeftAsTheyAre) {
  Error busy{Errc::busy, "in use"};

  EXPECT_EQ(explain_refusal(busy, kSomewhere, RunAs{"vtpm", 1, 1}).message, "in use");
}

TEST(StateStorage, DirectoryAboveThatIsClosed_IsNamed) {
  TemporaryDirectory directory;
  directory.write("open/closed/state/blob", "");
  std::filesystem::permissions(directory / "open/closed", std::filesystem::perms::none);
  Error refused{Errc::denied, "cannot open /x: Permission denied"};
  std::string message;
  {
    auto without_capabilities = ActingAs::begin({}).value();
    message = explain_refusal(refused, {StateFormat::dir, directory / "open/closed/state"},
                              RunAs{"vtpm", 1, 1})
                  .message;
  }
  std::filesystem::permissions(directory / "open/closed", std::filesystem::perms::owner_all);

  EXPECT_THAT(message, HasSubstr("The directory " + directory / "open/closed is closed to vtpm"));
}

}  // namespace
}  // namespace vtpm
