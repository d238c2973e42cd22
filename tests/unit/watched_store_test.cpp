#include "engine/state/watched_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/memory_store.h"
#include "tests/support/must.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};
const Bytes kBlob(3, std::byte{7});

// Whose removals can fail too.
class Storage final : public MemoryStore {
 public:
  Result<void> remove(BlobName name) override {
    return fail_removes ? failure(Errc::io, "remove told to fail") : MemoryStore::remove(name);
  }
  bool fail_removes = false;
};

class WatchedStoreTest : public testing::Test {
 protected:
  Storage storage_;
  std::vector<std::string> told_;
  WatchedStore store_{storage_, [this](const Result<void>& outcome) {
                        told_.push_back(outcome ? "stored" : outcome.error().message);
                      }};
};

TEST_F(WatchedStoreTest, WhatIsStored_IsToldAndIsInTheStore) {
  must(store_.store(kPermanent, kBlob));

  EXPECT_THAT(told_, ElementsAre("stored"));
  EXPECT_EQ(must(storage_.load(kPermanent)), kBlob);
}

TEST_F(WatchedStoreTest, WhatIsNotStored_IsToldWithTheReasonThatTheCallerGets) {
  storage_.fail_stores = true;

  auto stored = store_.store(kPermanent, kBlob);

  ASSERT_FALSE(stored);
  EXPECT_THAT(told_, ElementsAre(stored.error().message));
}

TEST_F(WatchedStoreTest, Removal_IsToldWhenItFailsAlone) {
  must(store_.remove(kPermanent));
  EXPECT_THAT(told_, IsEmpty());

  storage_.fail_removes = true;
  EXPECT_FALSE(store_.remove(kPermanent));
  EXPECT_THAT(told_, ElementsAre("remove told to fail"));
}

TEST_F(WatchedStoreTest, EverythingElse_IsTheStoresAndIsNotTold) {
  must(store_.lock());
  EXPECT_TRUE(storage_.locked);
  storage_.put(kPermanent, kBlob);
  EXPECT_EQ(must(store_.load(kPermanent)), kBlob);
  storage_.fail_loads = true;
  EXPECT_FALSE(store_.load(kPermanent));
  store_.unlock();

  EXPECT_FALSE(storage_.locked);
  EXPECT_EQ(store_.describe(), storage_.describe());
  EXPECT_THAT(told_, IsEmpty());
}

}  // namespace
}  // namespace vtpm
