#include "engine/base/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "ctl/control/blob_transfer.h"
#include "tests/support/hex.h"
#include "tests/support/wiped_memory.h"

namespace vtpm {
namespace {

// kB, of this process.
size_t locked_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmLck:")) {
      return std::stoul(line.substr(6));
    }
  }
  return 0;
}

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Secret, Made_HasTheBytesInMemoryOfItsOwn) {
  Bytes bytes = to_bytes("key");
  Secret secret{ByteView(bytes)};

  EXPECT_EQ(to_bytes(secret.view()), bytes);
  EXPECT_NE(secret.view().data(), bytes.data());
  EXPECT_FALSE(secret.empty());
}

TEST(Secret, MadeOfASize_IsZeroes) {
  EXPECT_EQ(to_bytes(Secret(4).view()), Bytes(4));
}

TEST(Secret, Destroyed_IsWiped) {
  std::optional<Secret> secret(as_bytes("key"));
  const void* memory = secret->view().data();
  WipedMemory wiped;

  secret.reset();

  EXPECT_THAT(wiped.ranges(), ElementsAre(WipedMemory::Range{memory, 3}));
}

TEST(Secret, AssignedTo_IsWipedBefore) {
  Secret secret(as_bytes("key"));
  const void* memory = secret.view().data();
  WipedMemory wiped;

  secret = Secret(as_bytes("other"));

  EXPECT_THAT(wiped.ranges(), Contains(WipedMemory::Range{memory, 3}));
  EXPECT_EQ(to_bytes(secret.view()), to_bytes("other"));
}

TEST(Secret, Moved_KeepsItsMemoryAndLeavesNothing) {
  Secret secret(as_bytes("key"));
  const void* memory = secret.view().data();
  WipedMemory wiped;

  Secret other(std::move(secret));

  EXPECT_EQ(other.view().data(), memory);
  EXPECT_TRUE(secret.empty());  // NOLINT: that is the question
  EXPECT_THAT(wiped.ranges(), IsEmpty());
}

TEST(WipedBytes, Destroyed_AreWiped) {
  std::optional<WipedBytes> bytes(to_bytes("state"));
  const void* memory = bytes->get().data();
  WipedMemory wiped;

  bytes.reset();

  EXPECT_THAT(wiped.ranges(), ElementsAre(WipedMemory::Range{memory, 5}));
}

TEST(WipedBytes, AssignedTo_AreWipedAtOnce) {
  WipedBytes bytes(to_bytes("old"));
  WipedBytes other(to_bytes("newer"));
  const void* memory = bytes.get().data();
  WipedMemory wiped;

  bytes = std::move(other);

  EXPECT_THAT(wiped.ranges(), ElementsAre(WipedMemory::Range{memory, 3}));
  EXPECT_EQ(bytes.get(), to_bytes("newer"));
}

TEST(WipedBytes, Moved_LeaveNothing) {
  WipedBytes bytes(to_bytes("state"));
  WipedMemory wiped;

  WipedBytes other(std::move(bytes));

  EXPECT_TRUE(bytes.get().empty());  // NOLINT: that is the question
  EXPECT_THAT(wiped.ranges(), IsEmpty());
}

TEST(Secret, BlobThatIsAbandoned_IsWipedToo) {
  BlobTransfer transfer;
  transfer.begin_get(BlobKind::permanent, to_bytes("state"));
  WipedMemory wiped;

  transfer.abandon();

  EXPECT_THAT(wiped.ranges(), Contains(testing::Field(&WipedMemory::Range::size, 5u)));
}

TEST(Secret, BlobOfATransferThatEndsWithItsFile_IsWipedToo) {
  std::optional<BlobTransfer> transfer(std::in_place);
  transfer->begin_get(BlobKind::permanent, to_bytes("state"));
  WipedMemory wiped;

  transfer.reset();

  EXPECT_THAT(wiped.ranges(), Contains(testing::Field(&WipedMemory::Range::size, 5u)));
}

TEST(Secret, OneSecretDestroyed_TheOthersStayLocked) {
  std::vector<Secret> stay;
  std::vector<Secret> go;
  for (int i = 0; i < 300; ++i) {
    stay.emplace_back(32);
    go.emplace_back(32);
  }
  size_t before = locked_memory();
  if (before == 0) {
    GTEST_SKIP()
        << "no memory can be locked here: the sanitizers' runtimes make mlock() do nothing";
  }

  go.clear();

  EXPECT_GE(locked_memory(), before - 4);  // kB
}

}  // namespace
}  // namespace vtpm
