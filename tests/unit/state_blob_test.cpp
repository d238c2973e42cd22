#include "ctl/control/state_blob.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/support/hex.h"
#include "tests/support/wiped_memory.h"

namespace vtpm {
namespace {

using testing::Contains;
using testing::IsEmpty;

WipedMemory::Range memory_of(const StateBlob& blob) {
  return {blob.view().data(), blob.size()};
}

TEST(StateBlob, Appended_IsTheBytesInOrder) {
  StateBlob blob(hex("0102"));

  blob.append(hex("03"));
  blob.append(hex("0405"));

  EXPECT_EQ(to_bytes(blob.view()), hex("0102030405"));
}

TEST(StateBlob, Dropped_IsWiped) {
  std::optional<StateBlob> blob(hex("0102"));
  auto memory = memory_of(*blob);
  WipedMemory wiped;

  blob.reset();

  EXPECT_THAT(wiped.ranges(), Contains(memory));
}

TEST(StateBlob, AssignedTo_IsWiped) {
  StateBlob blob(hex("0102"));
  auto memory = memory_of(blob);
  WipedMemory wiped;

  blob = StateBlob(hex("03"));

  EXPECT_THAT(wiped.ranges(), Contains(memory));
}

TEST(StateBlob, GrownIntoLargerMemory_LeavesNothingInTheSmaller) {
  StateBlob blob(hex("0102"));
  auto memory = memory_of(blob);
  WipedMemory wiped;

  blob.append(Bytes(100));

  EXPECT_THAT(wiped.ranges(), Contains(memory));
}

TEST(StateBlob, MovedFrom_IsEmptyAndNothingIsWiped) {
  StateBlob blob(hex("0102"));
  WipedMemory wiped;

  StateBlob other(std::move(blob));

  EXPECT_TRUE(blob.empty());  // NOLINT: that is the question
  EXPECT_EQ(to_bytes(other.view()), hex("0102"));
  EXPECT_THAT(wiped.ranges(), IsEmpty());
}

}  // namespace
}  // namespace vtpm
