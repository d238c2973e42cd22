// What has been a TPM's state or its response is wiped wherever it was: docs/security.md, "What is
// wiped".
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vtpm/ioctl.h>

#include <optional>

#include "engine/keys/swtpm_key.h"
#include "engine/state/swtpm/swtpm_blob.h"
#include "engine/tpm/commits.h"
#include "engine/tpm/unstored_changes.h"
#include "tests/support/fake_engine.h"
#include "tests/support/hex.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"
#include "tests/support/recording_transport.h"
#include "tests/support/wiped_memory.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {
namespace {

using testing::Contains;
using testing::Field;

constexpr size_t kState = 5003;  // no other buffer has this size
constexpr size_t kElement = 6;   // the header of an element of swtpm's blobs
constexpr size_t kBlobHeader = 10;

auto of_size(size_t size) {
  return Field("size", &WipedMemory::Range::size, size);
}

// -- values --

TEST(WipedOnTheWay, GrownBytes_LeaveNothingInTheSmallerMemory) {
  WipedBytes bytes{Bytes(kState)};
  WipedMemory wiped;

  bytes.append(Bytes(1));

  EXPECT_THAT(wiped.ranges(), Contains(of_size(kState)));
  EXPECT_EQ(bytes.get(), Bytes(kState + 1));
}

TEST(WipedOnTheWay, StructureWithAPiece_IsWipedWithItsScope) {
  std::optional<Wiped<vtpm_set_state>> structure(std::in_place);
  WipedMemory wiped;

  structure.reset();

  EXPECT_THAT(wiped.ranges(), Contains(of_size(sizeof(vtpm_set_state))));
}

TEST(WipedOnTheWay, ResponseThatIsReplaced_IsWiped) {
  ResponseBuffer response(0, Bytes(kState));
  WipedMemory wiped;

  response = ResponseBuffer();

  EXPECT_THAT(wiped.ranges(), Contains(of_size(kState)));
}

// -- whole TPMs --

TEST(WipedOnTheWay, CopyOfATpm_IsWipedWithItsCommand) {
  std::optional<TpmCopy> copy(TpmCopy{WipedBytes(Bytes(kState)), WipedBytes(Bytes(kState + 1))});
  WipedMemory wiped;

  copy.reset();

  EXPECT_THAT(wiped.ranges(), Contains(of_size(kState)));
  EXPECT_THAT(wiped.ranges(), Contains(of_size(kState + 1)));
}

TEST(WipedOnTheWay, StateThatIsStoredNow_IsWipedInMemory) {
  MemoryStore store;
  must(store.lock());
  UnstoredChanges changes(store);
  changes.want({TpmVersion::tpm20, BlobKind::permanent}, WipedBytes(Bytes(kState)));
  WipedMemory wiped;

  must(changes.commit());

  EXPECT_THAT(wiped.ranges(), Contains(of_size(kState)));
}

// -- blobs --

TEST(WipedOnTheWay, StateWithinItsBlob_IsWipedBetweenTheLayers) {
  WipedMemory wiped;

  Bytes blob = must(wrap_migration_blob(Bytes(kState), nullptr));
  must(unwrap_migration_blob(blob, nullptr));

  size_t inner = kState + kElement;
  EXPECT_THAT(wiped.ranges(), Contains(of_size(inner)).Times(2));
  EXPECT_THAT(wiped.ranges(), Contains(of_size(inner + kElement)));
}

TEST(WipedOnTheWay, StateThatIsEncrypted_IsWipedWhereItWasPadded) {
  SwtpmKey key{ByteView(Bytes(32, std::byte{1}))};
  WipedMemory wiped;

  must(wrap_swtpm_blob(Bytes(kState), &key));

  EXPECT_THAT(wiped.ranges(), Contains(of_size((kState / 32 + 1) * 32)));
}

// -- an open file --

class WipedInAFile : public testing::Test {
 protected:
  void SetUp() override {
    must(wired.tpm.power_on());
    must(wired.tpm.startup(StartupType::clear));
  }

  MemoryStore store;
  FakeEngine engine{store};
  WiredTpm wired{engine, store};
  RecordingTransport transport;
  std::shared_ptr<OpenFile> file = transport.open(wired.node, {0, 0, getpid(), true});
};

TEST_F(WipedInAFile, ResponseThatWasRead_IsWipedInTheBufferAndOnItsWay) {
  transport.write(*file, get_random(400));
  WipedMemory wiped;

  size_t size = transport.read(*file).bytes.size();

  EXPECT_THAT(wiped.ranges(), Contains(of_size(size)).Times(testing::Ge(2)));
}

TEST_F(WipedInAFile, PieceOfABlobThatIsGiven_IsWipedAsRequestAndAsStructure) {
  wired.tpm.power_off();
  Wiped<vtpm_set_state> in;
  in->req.type = VTPM_BLOB_TYPE_PERMANENT;
  in->req.length = VTPM_STATE_BLOB_SIZE;
  WipedMemory wiped;

  transport.ioctl(*file, VTPM_SET_STATEBLOB, std::as_bytes(std::span(&*in, 1)),
                  sizeof(vtpm_set_state));

  EXPECT_THAT(wiped.ranges(), Contains(of_size(sizeof(vtpm_set_state))).Times(2));
}

TEST_F(WipedInAFile, PieceOfABlobThatIsAskedFor_IsWipedAsStructureAndAsAnswer) {
  wired.tpm.execute(tpm2_command(FakeEngine::kRemember, Bytes(3500)));
  vtpm_get_state in{.req = {.state_flags = 0, .type = VTPM_BLOB_TYPE_PERMANENT, .offset = 0}};
  WipedMemory wiped;

  transport.ioctl(*file, VTPM_GET_STATEBLOB, std::as_bytes(std::span(&in, 1)), sizeof(in));

  EXPECT_THAT(wiped.ranges(), Contains(of_size(VTPM_STATE_BLOB_SIZE)));  // the piece
  EXPECT_THAT(wiped.ranges(), Contains(of_size(sizeof(vtpm_get_state))).Times(testing::Ge(2)));
}

TEST_F(WipedInAFile, BlobOnItsWay_IsWipedWithTheFile) {
  wired.tpm.execute(tpm2_command(FakeEngine::kRemember, Bytes(3500)));
  vtpm_get_state in{.req = {.state_flags = 0, .type = VTPM_BLOB_TYPE_PERMANENT, .offset = 0}};
  transport.ioctl(*file, VTPM_GET_STATEBLOB, std::as_bytes(std::span(&in, 1)), sizeof(in));
  WipedMemory wiped;

  transport.release(*file);
  file.reset();

  EXPECT_THAT(wiped.ranges(), Contains(of_size(3500 + kBlobHeader + 2 * kElement)));
}

}  // namespace
}  // namespace vtpm
