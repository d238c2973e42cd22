#include "engine/base/task.h"

#include <gtest/gtest.h>

#include <memory>

namespace vtpm {
namespace {

TEST(Task, MadeOfNothing_IsEmpty) {
  EXPECT_FALSE(Task());
}

TEST(Task, Called_RunsItsCallable) {
  int calls = 0;
  Task task = [&] { ++calls; };

  task();

  EXPECT_TRUE(task);
  EXPECT_EQ(calls, 1);
}

TEST(Task, OfAMoveOnlyCallable_CanBeMovedAndCalled) {
  int result = 0;
  auto owned = std::make_unique<int>(7);
  Task task = [&result, owned = std::move(owned)] { result = *owned; };

  Task moved = std::move(task);
  moved();

  EXPECT_EQ(result, 7);
}

TEST(Task, Replaced_EndsWhatItOwned) {
  auto witness = std::make_shared<int>();
  std::weak_ptr<int> alive = witness;
  Task task = [witness = std::move(witness)] {};

  task = Task();

  EXPECT_TRUE(alive.expired());
}

}  // namespace
}  // namespace vtpm
