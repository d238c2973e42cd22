// Whole states from one place to another, and what becomes of the destination when it goes wrong.
#include "ctl/tool/states/state_copies.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "ctl/tool/states/state_file.h"
#include "engine/state/file/storage_file.h"
#include "tests/support/file_faults.h"
#include "tests/support/hex.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};
constexpr BlobName kVolatile{TpmVersion::tpm20, BlobKind::volatile_state};
constexpr BlobName kSavestate12{TpmVersion::tpm12, BlobKind::savestate};

// Storage that does not keep what it was given.
class AlteringStore : public StateStore {
 public:
  explicit AlteringStore(std::unique_ptr<StateStore> store) : store_(std::move(store)) {}

  Result<Bytes> load(BlobName name) override { return store_->load(name); }
  Result<void> store(BlobName name, ByteView blob) override {
    Bytes altered(blob.begin(), blob.end());
    altered.back() ^= std::byte{1};
    return store_->store(name, altered);
  }
  Result<void> remove(BlobName name) override { return store_->remove(name); }
  Result<void> lock() override { return store_->lock(); }
  void unlock() override { store_->unlock(); }
  [[nodiscard]] std::string describe() const override { return store_->describe(); }

 private:
  std::unique_ptr<StateStore> store_;
};

class StateCopy : public testing::Test {
 protected:
  Result<void> put(const Location& to, Replace replace = Replace::never) {
    return put_state(state_, to, replace, open_);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      found.push_back(entry.path().filename());
    }
    return found;
  }
  Result<Bytes> load(const Location& from, BlobName name) {
    return open_location(from, {}, CreateState::never).value()->load(name);
  }
  void alter_what_is_stored() {
    open_ = [](const Location& place, CreateState create) {
      return open_location(place, {}, create).map([](auto store) -> std::unique_ptr<StateStore> {
        return std::make_unique<AlteringStore>(std::move(store));
      });
    };
  }

  TemporaryDirectory directory_;
  const Location file_{LocationKind::file, directory_ / "state"};
  const Location dir_{LocationKind::directory, directory_ / "dir"};
  const Location linear_{LocationKind::linear, directory_ / "linear", TpmVersion::tpm20};
  std::vector<StoredBlob> state_{{kPermanent, hex("0102")}, {kSavestate12, hex("03")}};
  OpenStore open_ = [](const Location& place, CreateState create) {
    return open_location(place, {}, create);
  };
};

TEST_F(StateCopy, Taken_IsAllBlobsOfBothVersions) {
  MemoryStore store;
  store.put(kSavestate12, hex("03"));
  store.put(kPermanent, hex("0102"));

  auto state = take_state(store);

  ASSERT_THAT(*state, SizeIs(2));
  EXPECT_EQ(state->front().name, kPermanent) << "in the order in which it is to be stored";
  EXPECT_TRUE(store.locked);
}

TEST_F(StateCopy, TakenFromNothing_IsNotFound) {
  MemoryStore store;
  EXPECT_EQ(take_state(store).error().code, Errc::not_found);
}

TEST_F(StateCopy, TakenWhileSomebodyHasIt_IsBusy) {
  MemoryStore store;
  store.held_by_another = true;
  EXPECT_EQ(take_state(store).error().code, Errc::busy);
}

TEST_F(StateCopy, Put_IsThereForItsOwnerAlone) {
  must(put(file_));

  EXPECT_EQ(load(file_, kPermanent).value(), hex("0102"));
  EXPECT_EQ(load(file_, kSavestate12).value(), hex("03"));
  EXPECT_EQ(std::filesystem::status(file_.path).permissions(), std::filesystem::perms(0600));
  EXPECT_THAT(names(), SizeIs(1)) << "nothing beside it";
}

TEST_F(StateCopy, PutIntoADirectory_IsThere) {
  must(put(dir_));
  EXPECT_EQ(load(dir_, kSavestate12).value(), hex("03"));
}

TEST_F(StateCopy, DestinationWithAState_IsKeptUnlessItIsToBeReplaced) {
  for (const Location& to : {file_, dir_}) {
    must(put(to));
    state_ = {{kPermanent, hex("0f")}};
    EXPECT_THAT(put(to).error().message, HasSubstr("--replace"));
    EXPECT_EQ(load(to, kPermanent).value(), hex("0102"));

    must(put(to, Replace::always));
    EXPECT_EQ(load(to, kPermanent).value(), hex("0f"));
    EXPECT_EQ(load(to, kSavestate12).error().code, Errc::not_found) << "it was the other state's";
    state_ = {{kPermanent, hex("0102")}, {kSavestate12, hex("03")}};
  }
}

TEST_F(StateCopy, FileWithSomethingElse_IsNeverTouched) {
  directory_.write("state", "a diary");

  EXPECT_EQ(put(file_, Replace::always).error().code, Errc::invalid);

  EXPECT_EQ(directory_.read("state"), "a diary");
}

TEST_F(StateCopy, EmptyFile_IsTaken) {
  directory_.write("state", "");
  must(put(file_));
  EXPECT_EQ(load(file_, kPermanent).value(), hex("0102"));
}

TEST_F(StateCopy, DestinationThatSomebodyHas_IsBusy) {
  for (const Location& to : {file_, dir_}) {
    must(put(to));
    auto somebody = open_location(to, {}, CreateState::never).value();
    must(somebody->lock());

    EXPECT_EQ(put(to, Replace::always).error().code, Errc::busy);
  }
}

TEST_F(StateCopy, StorageThatAltersBytes_IsFoundOutAndLeavesNothing) {
  alter_what_is_stored();
  state_ = {{kPermanent, hex("0102")}};
  for (const Location& to : {file_, dir_, linear_}) {
    EXPECT_THAT(put(to).error().message, HasSubstr("is not what was written"));
    EXPECT_FALSE(std::filesystem::exists(to.path)) << to.text();
  }
  EXPECT_THAT(names(), SizeIs(0));
}

TEST_F(StateCopy, StorageThatAltersBytes_LeavesWhatWasToBeReplaced) {
  for (const Location& to : {file_, dir_}) {
    must(put(to));
  }
  state_ = {{kPermanent, hex("0f")}, {kVolatile, hex("0e")}};
  alter_what_is_stored();
  for (const Location& to : {file_, dir_}) {
    EXPECT_EQ(put(to, Replace::always).error().code, Errc::corrupt);
    EXPECT_EQ(load(to, kPermanent).value(), hex("0102"));
    EXPECT_EQ(load(to, kSavestate12).value(), hex("03"));
    EXPECT_EQ(load(to, kVolatile).error().code, Errc::not_found);
  }
}

TEST_F(StateCopy, WhileItIsWritten_HasNoName) {
  std::vector<std::string> meanwhile;
  auto open = open_;
  open_ = [&](const Location& place, CreateState create) {
    meanwhile = names();
    return open(place, create);
  };
  must(put(file_));
  EXPECT_THAT(meanwhile, SizeIs(0)) << "a process that is killed now leaves nothing";
}

TEST_F(StateCopy, BlankFileThatOthersMayRead_IsReplacedByOneForItsOwnerAlone) {
  directory_.write("state", "");
  std::filesystem::permissions(file_.path, std::filesystem::perms(0666));
  must(put(file_));
  EXPECT_EQ(std::filesystem::status(file_.path).permissions(), std::filesystem::perms(0600));
}

TEST_F(StateCopy, LinkInPlaceOfTheFile_IsRefusedAndWhereItLeadsUntouched) {
  directory_.write("elsewhere", "");
  std::filesystem::create_symlink(directory_ / "elsewhere", file_.path);
  EXPECT_EQ(put(file_, Replace::always).error().code, Errc::invalid);
  EXPECT_EQ(directory_.read("elsewhere"), "");
}

TEST_F(StateCopy, LinkInPlaceOfTheDirectory_IsRefused) {
  std::filesystem::create_directory(directory_ / "elsewhere");
  std::filesystem::create_directory_symlink(directory_ / "elsewhere", dir_.path);
  EXPECT_THAT(put(dir_, Replace::always).error().message, HasSubstr("no link is followed"));
  EXPECT_TRUE(std::filesystem::is_empty(directory_ / "elsewhere"));
}

TEST_F(StateCopy, FileThatAppearsMeanwhile_IsNotReplaced) {
  auto put = put_state_file(state_, file_, Replace::never, Belongs::to_caller, open_,
                            [&](const std::string&) {
                              directory_.write("state", "a diary");
                              return Result<void>();
                            });
  EXPECT_EQ(put.error().code, Errc::busy);
  EXPECT_EQ(directory_.read("state"), "a diary");
}

TEST_F(StateCopy, DirectoryThatIsExchangedMeanwhile_IsNotLookedUpAgain) {
  std::filesystem::create_directory(dir_.path);
  const Location to{LocationKind::file, dir_.path + "/state"};
  must(put_state_file(state_, to, Replace::never, Belongs::to_caller, open_,
                      [&](const std::string&) {
                        std::filesystem::rename(dir_.path, directory_ / "moved");
                        std::filesystem::create_directory(dir_.path);
                        return Result<void>();
                      }));
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "moved/state"));
}

// A file system without unnamed files refuses the second call, which asks for one.
TEST_F(StateCopy, WithoutUnnamedFiles_IsWrittenBesideAndLeftoversGoAway) {
  directory_.write(".blob.vtpm-partial", "of a process that was killed");
  {
    FileFaults faults(1, EOPNOTSUPP);
    must(write_state_file(directory_ / "blob", hex("0102")));
    ASSERT_TRUE(faults.happened());
  }
  EXPECT_EQ(read_state_file(directory_ / "blob", 2).value(), hex("0102"));
  EXPECT_THAT(names(), SizeIs(1));
  EXPECT_EQ(std::filesystem::status(directory_ / "blob").permissions(),
            std::filesystem::perms(0600));
}

TEST_F(StateCopy, WhatIsInTheWayOfTheFileBeside_IsNamedAndStays) {
  std::filesystem::create_directory(directory_ / ".blob.vtpm-partial");
  directory_.write("blob", "before");

  auto written = write_state_file(directory_ / "blob", hex("0102"));

  ASSERT_FALSE(written.has_value());
  EXPECT_THAT(written.error().message, HasSubstr(directory_ / ".blob.vtpm-partial is in the way"));
  EXPECT_EQ(directory_.read("blob"), "before");
}

TEST_F(StateCopy, LimitForTheSizeOfFiles_IsNamed) {
  must(put(file_));
  auto file = StorageFile::open(file_.path, StorageFile::Access::write, CreateState::never);
  FileFaults limit(1, EFBIG);
  EXPECT_THAT(file->write(0, hex("00")).error().message, HasSubstr("ulimit -f"));
}

TEST(LockOfADirectory, ThatIsASecondNameOfAnotherFile_IsNotWrittenTo) {
  TemporaryDirectory directory;
  directory.write("diary", "dear diary");
  std::filesystem::create_hard_link(directory / "diary", directory / ".lock");
  auto store = open_location({LocationKind::directory, directory.path()}, {}, CreateState::never);
  EXPECT_EQ((*store)->lock().error().code, Errc::invalid);
  EXPECT_EQ(directory.read("diary"), "dear diary");
}

// With a fault at call 1, 2, 3, ... until none is left.

struct Attempt {
  bool done;
  bool happened;
};

class StateCopyFault : public StateCopy {
 protected:
  Attempt attempt(const Location& to, int failing_call) {
    FileFaults faults(failing_call, EIO);
    bool done = put(to, Replace::always).has_value();
    return {done, faults.happened()};
  }
};

TEST_F(StateCopyFault, EveryCallThatFails_LeavesAWholeFileAndNothingBesideIt) {
  must(put(file_));
  state_ = {{kPermanent, hex("0f")}};
  Attempt last{false, true};
  for (int call = 1; last.happened; ++call) {
    last = attempt(file_, call);
    EXPECT_THAT(names(), SizeIs(1)) << "call " << call;
    EXPECT_TRUE(load(file_, kPermanent)) << "call " << call;
  }
  EXPECT_TRUE(last.done);
  EXPECT_EQ(load(file_, kPermanent).value(), hex("0f"));
}

TEST_F(StateCopyFault, EveryCallThatFailsForANewFile_LeavesNothing) {
  Attempt last{false, true};
  for (int call = 1; last.happened; ++call) {
    std::filesystem::remove(file_.path);  // of a fault that does not matter
    last = attempt(file_, call);
    EXPECT_THAT(names(), SizeIs(last.done ? 1 : 0)) << "call " << call;
  }
  EXPECT_TRUE(last.done);
}

TEST_F(StateCopyFault, EveryCallThatFails_LeavesAWholeLinearFile) {
  state_ = {{kPermanent, hex("0102")}};
  must(put(linear_));
  state_ = {{kPermanent, hex("0f")}};
  Attempt last{false, true};
  for (int call = 1; last.happened; ++call) {
    last = attempt(linear_, call);
    EXPECT_THAT(names(), SizeIs(1)) << "call " << call;
    EXPECT_TRUE(load(linear_, kPermanent)) << "call " << call;
  }
  EXPECT_TRUE(last.done);
  EXPECT_EQ(load(linear_, kPermanent).value(), hex("0f"));
}

TEST_F(StateCopyFault, EveryCallThatFails_LeavesADirectoryAsItWas) {
  must(put(dir_));
  Attempt last{false, true};
  for (int call = 1; last.happened; ++call) {
    state_ = {{kPermanent, hex("0f")}};
    last = attempt(dir_, call);
    EXPECT_EQ(load(dir_, kPermanent).value(), last.done ? hex("0f") : hex("0102"))
        << "call " << call;
    state_ = {{kPermanent, hex("0102")}};
    must(put(dir_, Replace::always));
  }
  EXPECT_TRUE(last.done);
}

}  // namespace
}  // namespace vtpm
