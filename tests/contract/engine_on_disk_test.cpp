// The real TPMs on the real stores: what was acknowledged is there for the next process, and what
// is damaged is told and can be mended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "engine/command/codec.h"
#include "engine/state/file/file_store.h"
#include "engine/state/swtpm/dir_store.h"
#include "engine/tpm/virtual_tpm.h"
#include "tests/contract/engines.h"
#include "tests/support/failing_store.h"
#include "tests/support/fake_backoff.h"
#include "tests/support/must.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::HasSubstr;
using testing::Not;

struct StoreKind {
  std::string name;
  std::function<std::unique_ptr<StateStore>(const TemporaryDirectory&)> open;
  // Of all that is stored something is altered.
  std::function<void(const TemporaryDirectory&)> damage;
};

// A byte of every slot, or of the newest one of a TPM's permanent state.
void alter(const std::string& path, uint64_t offset) {
  auto file = StorageFile::open(path, StorageFile::Access::write, CreateState::never).value();
  must(file.write(offset, as_bytes("damage")));
}

void damage_every_slot(const TemporaryDirectory& directory) {
  for (size_t blob = 0; blob < kBlobs; ++blob) {
    for (size_t slot = 0; slot < kSlotsPerBlob; ++slot) {
      alter(directory / "state", slot_offset(blob, slot) + kSlotHeader + 20);
    }
  }
}

void damage_newest_slot(const TemporaryDirectory& directory, TpmVersion version) {
  size_t blob = blob_number({version, BlobKind::permanent});
  auto file =
      StorageFile::open(directory / "state", StorageFile::Access::read, CreateState::never).value();
  BlobScan scan = scan_blob(file, blob, scan_header(file).value().header.epoch);
  alter(directory / "state", slot_offset(blob, *scan.newest) + kSlotHeader + 20);
}

void cut_every_file(const TemporaryDirectory& directory) {
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    std::filesystem::resize_file(entry.path(), std::min<uintmax_t>(entry.file_size(), 100));
  }
}

StoreKind file_kind(const std::string& name, const std::string& key) {
  return {.name = name,
          .open =
              [=](const TemporaryDirectory& directory) {
                FileStoreOptions options;
                options.key =
                    key.empty() ? SealingKey() : SealingKey{KeyKind::raw, Secret(as_bytes(key))};
                return FileStore::open(directory / "state", std::move(options)).value();
              },
          .damage = damage_every_slot};
}

StoreKind dir_kind() {
  return {.name = "Dir",
          .open =
              [](const TemporaryDirectory& directory) {
                return DirStore::open(directory.path(), CreateState::never).value();
              },
          .damage = cut_every_file};
}

std::vector<StoreKind> file_kinds() {
  return {file_kind("File", ""), file_kind("SealedFile", std::string(32, 'k'))};
}

std::vector<StoreKind> store_kinds() {
  auto kinds = file_kinds();
  kinds.push_back(dir_kind());
  return kinds;
}

std::vector<EngineKind> real_engines() {
  auto kinds = engine_kinds();
  std::erase_if(kinds, [](const EngineKind& kind) { return kind.name == "Fake"; });
  return kinds;
}

class EngineOnDisk : public testing::TestWithParam<std::tuple<StoreKind, EngineKind>> {
 protected:
  // What lives in one process.
  struct Process {
    Process(std::unique_ptr<StateStore> opened, const EngineKind& kind)
        : disk(std::move(opened)), engine(kind.make(store, true)) {}

    ResponseCode send(ByteView command) { return response_code(tpm.execute(command)); }
    void power_on() {
      must(tpm.power_on());
      must(tpm.startup(StartupType::clear));
    }

    std::unique_ptr<StateStore> disk;
    FailingStore store{*disk};
    std::unique_ptr<Engine> engine;
    FakeBackoff backoff;
    VirtualTpm tpm{*engine, store, backoff};
  };

  const EngineKind& kind() const { return std::get<EngineKind>(GetParam()); }
  Process& start() {
    process_.reset();  // one TPM, and one lock
    process_ = std::make_unique<Process>(std::get<StoreKind>(GetParam()).open(directory_), kind());
    return *process_;
  }
  Process& start_and_power_on() {
    start().power_on();
    return *process_;
  }
  bool remember(uint8_t which) { return process_->send(kind().remember(which)) == rc::success; }
  bool has(uint8_t which) { return process_->send(kind().recall(which)) == rc::success; }
  void kill() { process_.reset(); }
  void damage() { std::get<StoreKind>(GetParam()).damage(directory_); }

  TemporaryDirectory directory_;
  std::unique_ptr<Process> process_;
};

auto name_of = [](const auto& test) {
  return std::get<StoreKind>(test.param).name + std::get<EngineKind>(test.param).name;
};

INSTANTIATE_TEST_SUITE_P(Stores, EngineOnDisk,
                         testing::Combine(testing::ValuesIn(store_kinds()),
                                          testing::ValuesIn(real_engines())),
                         name_of);

TEST_P(EngineOnDisk, WhatWasAcknowledged_IsThereAfterAKill) {
  start_and_power_on();
  ASSERT_TRUE(remember(1));
  ASSERT_TRUE(remember(2));

  start_and_power_on();

  EXPECT_TRUE(has(1));
  EXPECT_TRUE(has(2));
  EXPECT_FALSE(has(3));
}

TEST_P(EngineOnDisk, FailedCommit_LeavesTheTpmAsBeforeAndItGoesOn) {
  for (int failing = 1; failing <= 3; ++failing) {
    SCOPED_TRACE("commit " + std::to_string(failing));
    start_and_power_on();
    auto base = static_cast<uint8_t>(10 * failing);
    ASSERT_TRUE(remember(base));
    process_->store.failing_store = process_->store.stores + 1;

    EXPECT_FALSE(remember(base + 1));
    EXPECT_EQ(process_->tpm.phase(), Phase::on);
    EXPECT_TRUE(has(base));
    EXPECT_FALSE(has(base + 1));
    EXPECT_TRUE(remember(base + 2));

    start_and_power_on();
    EXPECT_TRUE(has(base));
    EXPECT_FALSE(has(base + 1));
    EXPECT_TRUE(has(base + 2));
  }
}

TEST_P(EngineOnDisk, FailedCommitTheLastThingOfAProcess_IsUndoneForTheNext) {
  start_and_power_on();
  ASSERT_TRUE(remember(1));
  process_->store.failing_store = process_->store.stores + 1;
  ASSERT_FALSE(remember(2));

  start_and_power_on();

  EXPECT_TRUE(has(1));
  EXPECT_FALSE(has(2));
}

TEST_P(EngineOnDisk, DamagedState_FailsWithTheStoresReasonAndMakesNoNewTpm) {
  start_and_power_on();
  ASSERT_TRUE(remember(1));
  kill();
  damage();

  auto powered = start().tpm.power_on();

  ASSERT_FALSE(powered.has_value());
  EXPECT_EQ(process_->tpm.phase(), Phase::failed);
  EXPECT_THAT(powered.error().message, HasSubstr("damaged"));
  EXPECT_THAT(powered.error().message, HasSubstr(directory_.path()));
  EXPECT_FALSE(start().tpm.power_on().has_value());
}

TEST_P(EngineOnDisk, DamagedState_IsMendedByAGivenOne) {
  start_and_power_on();
  ASSERT_TRUE(remember(1));
  Bytes backup = process_->tpm.get_state(BlobKind::permanent).value();
  kill();
  damage();
  start();
  ASSERT_FALSE(process_->tpm.power_on().has_value());

  must(process_->tpm.set_state(BlobKind::permanent, backup));
  process_->power_on();

  EXPECT_TRUE(has(1));
  EXPECT_TRUE(remember(2));
  start_and_power_on();
  EXPECT_TRUE(has(1));
  EXPECT_TRUE(has(2));
}

// -- What only the `file:` store has --

using EngineOnFile = EngineOnDisk;

INSTANTIATE_TEST_SUITE_P(Stores, EngineOnFile,
                         testing::Combine(testing::ValuesIn(file_kinds()),
                                          testing::ValuesIn(real_engines())),
                         name_of);

TEST_P(EngineOnFile, NewestStateDamaged_PowersOnWithTheOneBefore) {
  start_and_power_on();
  ASSERT_TRUE(remember(1));
  ASSERT_TRUE(remember(2));
  kill();
  damage_newest_slot(directory_, kind().version);

  start_and_power_on();

  EXPECT_TRUE(has(1));
  EXPECT_FALSE(has(2));
  EXPECT_TRUE(remember(3));
}

TEST_P(EngineOnFile, Rekeyed_GoesOnUnderTheNewKey) {
  start_and_power_on();
  ASSERT_TRUE(remember(1));
  must(dynamic_cast<FileStore&>(*process_->disk)
           .rekey({KeyKind::raw, Secret(as_bytes(std::string(32, 'n')))}));
  ASSERT_TRUE(remember(2));

  EXPECT_FALSE(start().tpm.power_on().has_value());

  process_.reset();
  process_ = std::make_unique<Process>(file_kind("Rekeyed", std::string(32, 'n')).open(directory_),
                                       kind());
  process_->power_on();
  EXPECT_TRUE(has(1));
  EXPECT_TRUE(has(2));
}

}  // namespace
}  // namespace vtpm
