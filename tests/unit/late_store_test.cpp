#include "engine/state/late_store.h"

#include <gtest/gtest.h>

#include "tests/support/hex.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"

namespace vtpm {
namespace {

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};

// What is opened: keeps nothing of its own, so that the storage outlives it.
class Handle : public StateStore {
 public:
  explicit Handle(MemoryStore& storage) : storage_(storage) {}
  ~Handle() override { storage_.unlock(); }
  Result<Bytes> load(BlobName name) override { return storage_.load(name); }
  Result<void> store(BlobName name, ByteView blob) override { return storage_.store(name, blob); }
  Result<void> remove(BlobName name) override { return storage_.remove(name); }
  Result<void> lock() override { return storage_.lock(); }
  void unlock() override { storage_.unlock(); }
  [[nodiscard]] std::string describe() const override { return storage_.describe(); }

 private:
  MemoryStore& storage_;
};

class LateStoreTest : public testing::Test {
 protected:
  Result<std::unique_ptr<StateStore>> open() {
    if (!there_) {
      return failure(Errc::not_found, "no such file");
    }
    return std::make_unique<Handle>(storage_);
  }

  MemoryStore storage_;
  bool there_ = false;
  LateStore store_{[this] { return open(); }, "file:/later"};
};

TEST_F(LateStoreTest, BeforeItIsThere_TheLockSaysSo) {
  EXPECT_EQ(store_.lock().error().code, Errc::not_found);
}

// Nobody shall make a new TPM for want of storage.
TEST_F(LateStoreTest, WithoutTheLock_NothingIsNotFound) {
  EXPECT_EQ(store_.load(kPermanent).error().code, Errc::io);
  EXPECT_EQ(store_.store(kPermanent, {}).error().code, Errc::io);
  EXPECT_EQ(store_.remove(kPermanent).error().code, Errc::io);
}

TEST_F(LateStoreTest, OnceItIsThere_ItIsUsed) {
  there_ = true;
  must(store_.lock());
  must(store_.store(kPermanent, as_bytes("state")));

  EXPECT_EQ(store_.load(kPermanent).value(), to_bytes("state"));
  EXPECT_TRUE(store_.remove(kPermanent).has_value());
}

TEST_F(LateStoreTest, LockThatAnotherHolds_IsBusyAndLetsGo) {
  there_ = true;
  storage_.held_by_another = true;
  EXPECT_EQ(store_.lock().error().code, Errc::busy);

  storage_.held_by_another = false;

  EXPECT_TRUE(store_.lock().has_value());
}

TEST_F(LateStoreTest, AfterUnlock_ItIsOpenedAnew) {
  there_ = true;
  must(store_.lock());
  store_.unlock();
  EXPECT_FALSE(storage_.locked);
  there_ = false;

  EXPECT_EQ(store_.lock().error().code, Errc::not_found);
}

TEST_F(LateStoreTest, Describe_IsTheSameBeforeAndAfter) {
  EXPECT_EQ(store_.describe(), "file:/later");
}

}  // namespace
}  // namespace vtpm
