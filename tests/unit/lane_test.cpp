#include "engine/base/lane.h"

#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <vector>

namespace vtpm {
namespace {

class LaneTest : public testing::Test {
 protected:
  // Nothing of the lanes runs until `queue` has.
  template <class Queue>
  void while_busy(Queue queue) {
    strand_.run(std::move(queue));
  }
  auto noting(int what) {
    return [this, what] { order_.push_back(what); };
  }

  Strand strand_;
  std::shared_ptr<Lane> one_ = std::make_shared<Lane>(strand_);
  std::shared_ptr<Lane> other_ = std::make_shared<Lane>(strand_);
  std::vector<int> order_;
};

TEST_F(LaneTest, Idle_RunsATaskAtOnce) {
  one_->run(noting(1));

  EXPECT_EQ(order_, std::vector{1});
}

TEST_F(LaneTest, TasksOfTwoLanes_TakeTurns) {
  while_busy([this] {
    one_->run(noting(1));
    one_->run(noting(3));
    one_->run(noting(4));
    other_->run(noting(2));
  });

  EXPECT_EQ(order_, (std::vector{1, 2, 3, 4}));
}

TEST_F(LaneTest, TaskThatGoesFirst_StillComesBehindItsLanesOthers) {
  while_busy([this] {
    one_->run(noting(1));
    one_->run(noting(2), Precedence::first);
    other_->run(noting(3));
  });

  EXPECT_EQ(order_, (std::vector{1, 2, 3}));
}

TEST_F(LaneTest, TaskThatThrows_DoesNotHoldTheLane) {
  EXPECT_THROW(while_busy([this] {
                 one_->run([] { throw std::bad_alloc(); });
                 one_->run(noting(1));
               }),
               std::bad_alloc);

  one_->run(noting(2));
  EXPECT_EQ(order_, (std::vector{1, 2}));
}

TEST_F(LaneTest, WhatATaskOwns_EndsBeforeTheLanesNextTask) {
  auto owned = std::make_shared<int>(1);
  std::weak_ptr<int> alive = owned;
  bool ended = false;

  while_busy([&, owned = std::move(owned)]() mutable {
    one_->run([held = std::move(owned)] {});
    one_->run([&] { ended = alive.expired(); });
  });

  EXPECT_TRUE(ended);
}

TEST_F(LaneTest, LaneThatNobodyHolds_CarriesOutWhatWaits) {
  while_busy([this] {
    one_->run(noting(1));
    one_->run(noting(2));
    one_.reset();
  });

  EXPECT_EQ(order_, (std::vector{1, 2}));
}

TEST_F(LaneTest, Full_WhileAsManyWaitAsMay) {
  while_busy([this] {
    one_->run([] {});
    for (size_t i = 0; i < Lane::kMostWaiting; ++i) {
      EXPECT_FALSE(one_->full());
      one_->run([] {});
    }
    EXPECT_TRUE(one_->full());
  });

  EXPECT_FALSE(one_->full());
}

}  // namespace
}  // namespace vtpm
