// State as blobs: what engine/tpm/engine.h promises about taking it out of one TPM and giving it to
// another, held against every engine.
#include <gtest/gtest.h>

#include <vector>

#include "tests/contract/engine_fixture.h"

namespace vtpm {
namespace {

class MoveContract : public EngineContract {
 protected:
  // A TPM in use, whose blobs are taken while it runs; then an engine on an empty storage.
  void SetUp() override {
    EngineContract::SetUp();
    power_on_and_start();
    ASSERT_EQ(send(kind().remember(1)), rc::success);
    int stores = store_.stores;
    permanent_ = engine_->get_state(BlobKind::permanent).value();
    volatile_ = engine_->get_state(BlobKind::volatile_state).value();
    ASSERT_EQ(store_.stores, stores) << "taking the blobs wrote something";
    store_.blobs.clear();
    make();
  }

  Bytes permanent_;
  Bytes volatile_;
};

INSTANTIATE_TEST_SUITE_P(Engines, MoveContract, testing::ValuesIn(engine_kinds()),
                         [](const auto& test) { return test.param.name; });

TEST_P(MoveContract, BothBlobs_GoOnWhereTheSourceWas) {
  ASSERT_TRUE(engine_->set_state(BlobKind::permanent, permanent_));
  ASSERT_TRUE(engine_->set_state(BlobKind::volatile_state, volatile_));

  EXPECT_EQ(power_on().value(), PoweredOn::resumed);

  EXPECT_EQ(send(kind().recall(1)), rc::success);
}

TEST_P(MoveContract, PermanentAlone_IsATpmThatWasReset) {
  ASSERT_TRUE(engine_->set_state(BlobKind::permanent, permanent_));

  EXPECT_EQ(power_on().value(), PoweredOn::reset);

  ASSERT_EQ(send(startup()), rc::success);
  EXPECT_EQ(send(kind().recall(1)), rc::success);
}

TEST_P(MoveContract, Given_IsWrittenByThePowerOnAndNotBefore) {
  ASSERT_TRUE(engine_->set_state(BlobKind::permanent, permanent_));
  EXPECT_EQ(store_.find(blob(BlobKind::permanent)), nullptr);

  ASSERT_TRUE(power_on());

  EXPECT_NE(store_.find(blob(BlobKind::permanent)), nullptr);
}

TEST_P(MoveContract, Given_SupersedesWhatIsStored) {
  power_on_and_start();
  ASSERT_EQ(send(kind().remember(2)), rc::success);
  engine_->power_off();

  ASSERT_TRUE(engine_->set_state(BlobKind::permanent, permanent_));
  power_on_and_start();

  EXPECT_EQ(send(kind().recall(1)), rc::success);
  EXPECT_NE(send(kind().recall(2)), rc::success);
}

// A file whose header is damaged, or that another key seals, has no readable blob at all.
TEST_P(MoveContract, GivenInPlaceOfAnUnreadableStore_IsGoneOnFrom) {
  for (Errc unreadable : {Errc::corrupt, Errc::denied}) {
    store_.fail_loads = true;
    store_.load_failure = unreadable;
    ASSERT_TRUE(engine_->set_state(BlobKind::permanent, permanent_));

    power_on_and_start();

    EXPECT_EQ(send(kind().recall(1)), rc::success);
    engine_->power_off();
  }
}

TEST_P(MoveContract, GivenAndForgotten_IsNotGoneOnFrom) {
  power_on_and_start();
  ASSERT_EQ(send(kind().remember(2)), rc::success);
  engine_->power_off();
  ASSERT_TRUE(engine_->set_state(BlobKind::permanent, permanent_));

  engine_->forget_state();

  power_on_and_start();
  EXPECT_EQ(send(kind().recall(2)), rc::success);
}

TEST_P(MoveContract, Given_IsUsedOnce) {
  ASSERT_TRUE(engine_->set_state(BlobKind::permanent, permanent_));
  power_on_and_start();
  ASSERT_EQ(send(kind().remember(2)), rc::success);
  engine_->power_off();

  power_on_and_start();

  EXPECT_EQ(send(kind().recall(2)), rc::success) << "the given state came back";
}

TEST_P(MoveContract, Garbage_IsRefusedAndForgotten) {
  EXPECT_FALSE(engine_->set_state(BlobKind::permanent, Bytes(100, std::byte{0xFF})));

  power_on_and_start();
  EXPECT_NE(send(kind().recall(1)), rc::success);
}

TEST_P(MoveContract, BlobCutAtEveryPlace_IsRefused) {
  for (size_t size = 1; size < permanent_.size(); size += permanent_.size() / 50 + 1) {
    auto cut = ByteView(permanent_).first(size);
    EXPECT_EQ(engine_->set_state(BlobKind::permanent, cut).has_value(), kind().any_blob_will_do)
        << size;
  }
}

TEST_P(MoveContract, VolatileWithoutPermanent_IsRefused) {
  EXPECT_FALSE(engine_->set_state(BlobKind::volatile_state, volatile_));
}

// When it is given or at the power-on, as the library finds it; the good state works behind each.
TEST_P(MoveContract, VolatileThatIsJunk_IsOutlivedAndTheGoodStateWorksBehindIt) {
  std::vector<Bytes> junk{Bytes(100, std::byte{0xFF}), Bytes(1)};
  for (size_t size = 1; size < volatile_.size(); size += volatile_.size() / 20 + 1) {
    junk.emplace_back(volatile_.begin(), volatile_.begin() + static_cast<ptrdiff_t>(size));
    junk.push_back(volatile_);
    junk.back()[size] ^= std::byte{0xFF};
  }
  for (const Bytes& blob : junk) {
    ASSERT_TRUE(engine_->set_state(BlobKind::permanent, permanent_));
    bool resumed = engine_->set_state(BlobKind::volatile_state, blob) && power_on().has_value();
    EXPECT_TRUE(!resumed || kind().any_blob_will_do) << blob.size() << " bytes";
    engine_->power_off();
    engine_->forget_state();

    ASSERT_TRUE(engine_->set_state(BlobKind::permanent, permanent_));
    ASSERT_TRUE(engine_->set_state(BlobKind::volatile_state, volatile_));
    ASSERT_EQ(power_on().value(), PoweredOn::resumed);
    ASSERT_EQ(send(kind().recall(1)), rc::success);
    engine_->power_off();
  }
}

TEST_P(MoveContract, GetState_WhileOff_IsRefused) {
  EXPECT_EQ(engine_->get_state(BlobKind::permanent).error().code, Errc::wrong_phase);
}

TEST_P(MoveContract, TwoBlobsOfOneMoment_AreTheSame) {
  power_on_and_start();
  EXPECT_EQ(engine_->get_state(BlobKind::permanent).value(),
            engine_->get_state(BlobKind::permanent).value());
}

}  // namespace
}  // namespace vtpm
