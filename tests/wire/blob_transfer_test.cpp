// State blobs through the nodes: by ioctl and by read() and write(), what interrupts a transfer,
// and that transfers on different files do not meet.
#include <gtest/gtest.h>
#include <vtpm/ioctl.h>

#include <cerrno>
#include <cstring>

#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/support/fake_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {
namespace {

template <class Structure>
ByteView view(const Structure& structure) {
  return std::as_bytes(std::span(&structure, 1));
}

class BlobOnTheWire : public testing::Test {
 protected:
  void SetUp() override { file = kernel.open_file(); }

  void power_on() {
    ASSERT_TRUE(wired.tpm.power_on());
    ASSERT_TRUE(wired.tpm.startup(StartupType::clear));
  }

  vtpm_get_state get(uint32_t kind, uint32_t offset) {
    vtpm_get_state structure{};
    structure.req = {.state_flags = 0, .type = kind, .offset = offset};
    WireReply reply = kernel.ioctl(file, VTPM_GET_STATEBLOB, view(structure), sizeof(structure));
    EXPECT_EQ(reply.error, 0);
    std::memcpy(&structure, reply.body.data(), reply.body.size());
    return structure;
  }

  uint32_t set(uint64_t to, ByteView piece) {
    vtpm_set_state structure{};
    structure.req.type = VTPM_BLOB_TYPE_PERMANENT;
    structure.req.length = static_cast<uint32_t>(piece.size());
    std::ranges::copy(piece, std::as_writable_bytes(std::span(structure.req.data)).begin());
    WireReply reply = kernel.ioctl(to, VTPM_SET_STATEBLOB, view(structure), sizeof(vtpm_result));
    EXPECT_EQ(reply.error, 0);
    uint32_t result = 0;
    std::memcpy(&result, reply.body.data(), sizeof(result));
    return result;
  }

  Bytes blob_of(size_t size) { return *wrap_migration_blob(Bytes(size, std::byte{7}), nullptr); }

  MemoryStore store;
  FakeEngine engine{store};
  WiredTpm wired{engine, store};
  WireKernel& kernel = wired.control_kernel;
  uint64_t file = 0;
};

TEST_F(BlobOnTheWire, Read_AfterAPiece_GoesOnBehindIt) {
  ASSERT_TRUE(engine.set_state(BlobKind::permanent, Bytes(6000, std::byte{7})));
  power_on();
  Bytes whole = blob_of(6000);
  vtpm_get_state piece = get(VTPM_BLOB_TYPE_PERMANENT, 100);
  ASSERT_EQ(piece.resp.tpm_result, VTPM_RESULT_SUCCESS);
  EXPECT_EQ(piece.resp.totlength, whole.size());
  EXPECT_EQ(piece.resp.length, uint32_t{VTPM_STATE_BLOB_SIZE});

  Bytes rest = kernel.read(file, 1000).body;
  Bytes end = kernel.read(file, 4096).body;
  rest.insert(rest.end(), end.begin(), end.end());

  ByteView expected = ByteView(whole).subspan(100 + VTPM_STATE_BLOB_SIZE);
  EXPECT_TRUE(std::ranges::equal(rest, expected));
  EXPECT_TRUE(kernel.read(file).body.empty());
}

TEST_F(BlobOnTheWire, Write_BetweenTwoEmptyPieces_GivesTheBlob) {
  Bytes blob = blob_of(5000);
  EXPECT_EQ(set(file, {}), VTPM_RESULT_SUCCESS);

  EXPECT_EQ(kernel.write(file, ByteView(blob).first(100)).error, 0);
  EXPECT_EQ(kernel.write(file, ByteView(blob).subspan(100)).error, 0);

  EXPECT_EQ(set(file, {}), VTPM_RESULT_SUCCESS);
  ASSERT_TRUE(wired.tpm.power_on());
  EXPECT_EQ(engine.get_state(BlobKind::permanent).value(), Bytes(5000, std::byte{7}));
}

TEST_F(BlobOnTheWire, Pieces_OfAnExactMultiple_NeedAnEmptyLastOne) {
  size_t header = blob_of(0).size();
  Bytes blob = blob_of(2 * VTPM_STATE_BLOB_SIZE - header);
  ASSERT_EQ(blob.size(), 2 * VTPM_STATE_BLOB_SIZE);

  EXPECT_EQ(set(file, ByteView(blob).first(VTPM_STATE_BLOB_SIZE)), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(set(file, ByteView(blob).subspan(VTPM_STATE_BLOB_SIZE)), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(set(file, {}), VTPM_RESULT_SUCCESS);

  ASSERT_TRUE(wired.tpm.power_on());
  EXPECT_EQ(engine.get_state(BlobKind::permanent).value().size(), blob.size() - header);
}

TEST_F(BlobOnTheWire, Read_WhileABlobIsGiven_IsAnErrorAndEndsIt) {
  EXPECT_EQ(set(file, {}), VTPM_RESULT_SUCCESS);

  EXPECT_EQ(kernel.read(file).error, EIO);

  EXPECT_EQ(kernel.write(file, Bytes(4)).error, EINVAL) << "the control node takes no commands";
}

TEST_F(BlobOnTheWire, Write_OfMoreThanABlobMayHave_IsTooBig) {
  EXPECT_EQ(set(file, {}), VTPM_RESULT_SUCCESS);
  Bytes piece(65536);
  int error = 0;
  size_t given = 0;
  for (; error == 0 && given <= 2 * BlobTransfer::kLargestBlob; given += piece.size()) {
    error = kernel.write(file, piece).error;
  }
  EXPECT_EQ(error, EFBIG);
  EXPECT_EQ(given, BlobTransfer::kLargestBlob + piece.size());
}

TEST_F(BlobOnTheWire, AbandonedTransfer_IsForgottenWithItsFile) {
  EXPECT_EQ(set(file, Bytes(VTPM_STATE_BLOB_SIZE, std::byte{0xEE})), VTPM_RESULT_SUCCESS);
  kernel.release(file);
  file = kernel.open_file();

  EXPECT_EQ(set(file, blob_of(8)), VTPM_RESULT_SUCCESS);

  ASSERT_TRUE(wired.tpm.power_on());
}

TEST_F(BlobOnTheWire, AbandonedTransfer_IsForgottenWithAnotherRequest) {
  EXPECT_EQ(set(file, Bytes(VTPM_STATE_BLOB_SIZE, std::byte{0xEE})), VTPM_RESULT_SUCCESS);
  kernel.ioctl(file, VTPM_GET_CONFIG, {}, sizeof(vtpm_config));

  EXPECT_EQ(set(file, blob_of(8)), VTPM_RESULT_SUCCESS);

  ASSERT_TRUE(wired.tpm.power_on());
}

TEST_F(BlobOnTheWire, Init_BehindAPieceByWrite_IsRefused) {
  EXPECT_EQ(set(file, {}), VTPM_RESULT_SUCCESS);
  ASSERT_EQ(kernel.write(file, ByteView(blob_of(5000)).first(4000)).error, 0);

  WireReply reply = kernel.ioctl(file, VTPM_INIT, Bytes(4), 4);

  EXPECT_EQ(std::to_integer<unsigned>(reply.body.at(0)), VTPM_RESULT_BAD_DATASIZE);
  EXPECT_EQ(wired.tpm.phase(), Phase::off);
}

TEST_F(BlobOnTheWire, Init_OnAnotherFileThanTheTransfers_PowersOn) {
  uint64_t other = kernel.open_file();
  EXPECT_EQ(set(file, Bytes(VTPM_STATE_BLOB_SIZE, std::byte{0xEE})), VTPM_RESULT_SUCCESS);

  WireReply reply = kernel.ioctl(other, VTPM_INIT, Bytes(4), 4);

  EXPECT_EQ(std::to_integer<unsigned>(reply.body.at(0)), VTPM_RESULT_SUCCESS);
}

TEST_F(BlobOnTheWire, TransfersOnTwoFiles_DoNotMeet) {
  uint64_t other = kernel.open_file();
  EXPECT_EQ(set(other, Bytes(VTPM_STATE_BLOB_SIZE, std::byte{0xEE})), VTPM_RESULT_SUCCESS);

  EXPECT_EQ(set(file, blob_of(8)), VTPM_RESULT_SUCCESS);

  ASSERT_TRUE(wired.tpm.power_on());
  EXPECT_EQ(engine.get_state(BlobKind::permanent).value(), Bytes(8, std::byte{7}));
}

TEST_F(BlobOnTheWire, GetState_ShortBlob_LeavesNothingUndefinedBehindIt) {
  power_on();
  vtpm_get_state answer = get(VTPM_BLOB_TYPE_VOLATILE, 0);
  ASSERT_EQ(answer.resp.tpm_result, VTPM_RESULT_SUCCESS);
  auto behind = std::span(answer.resp.data).subspan(answer.resp.length);
  EXPECT_TRUE(std::ranges::all_of(behind, [](uint8_t byte) { return byte == 0; }));
}

}  // namespace
}  // namespace vtpm
