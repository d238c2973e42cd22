// SET_STATEBLOB: pieces until one that is not full, or write().
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/control_state_fixture.h"

namespace vtpm {
namespace {

class SetStateTest : public StateBlobTest {
 protected:
  // What the TPM goes on from.
  void expect_permanent(const Bytes& state) {
    init_and_start();
    EXPECT_EQ(execute(tpm2_command(FakeEngine::kRecall, state)), rc::success);
  }
};

TEST_F(SetStateTest, SmallBlob_IsOnePieceAndTheNextInitsState) {
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob_of(as_bytes("given")))),
            VTPM_RESULT_SUCCESS);

  expect_permanent(to_bytes("given"));
}

TEST_F(SetStateTest, LargeBlob_IsFullPiecesAndAShortOne) {
  Bytes blob = blob_of(3500);

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, ByteView(blob).first(kPiece))),
            VTPM_RESULT_SUCCESS);
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, ByteView(blob).subspan(kPiece))),
            VTPM_RESULT_SUCCESS);

  expect_permanent(Bytes(3500));
}

TEST_F(SetStateTest, BlobOfExactlyOnePiece_IsEndedByAnEmptyOne) {
  Bytes blob = blob_of(kPiece - kOverhead);
  ASSERT_EQ(blob.size(), kPiece);

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob)), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(transfer_->state(), BlobTransfer::State::setting);
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, {})), VTPM_RESULT_SUCCESS);

  EXPECT_EQ(transfer_->state(), BlobTransfer::State::idle);
  expect_permanent(Bytes(kPiece - kOverhead));
}

TEST_F(SetStateTest, FirstPieceEmpty_OpensTheTransferForWrite) {
  Bytes blob = blob_of(as_bytes("given"));

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, {})), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(transfer_->state(), BlobTransfer::State::writing);
  ASSERT_TRUE(transfer_->append(blob));
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, {})), VTPM_RESULT_SUCCESS);

  expect_permanent(to_bytes("given"));
}

// -- INIT behind a transfer that is not whole --

class InitTooEarly : public SetStateTest {
 protected:
  void begin_permanent() {
    EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, Bytes(kPiece))), VTPM_RESULT_SUCCESS);
  }
};

TEST_F(InitTooEarly, BehindAPiece_IsRefusedAndPowersNothing) {
  begin_permanent();

  EXPECT_EQ(result_in(init()), VTPM_RESULT_BAD_DATASIZE);

  EXPECT_EQ(tpm_.phase(), Phase::off);
}

TEST_F(InitTooEarly, AskedAgain_IsRefusedAgain) {
  begin_permanent();
  init();

  EXPECT_EQ(result_in(init()), VTPM_RESULT_BAD_DATASIZE);
}

TEST_F(InitTooEarly, BehindATransferThatAQueryCutShort_IsRefused) {
  begin_permanent();
  ask(VTPM_GET_CONFIG);

  EXPECT_EQ(result_in(init()), VTPM_RESULT_BAD_DATASIZE);
}

TEST_F(InitTooEarly, BehindATransferThatAnotherKindCutShort_IsRefused) {
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob_of(8))), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_VOLATILE, Bytes(kPiece))), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob_of(8))), VTPM_RESULT_SUCCESS);

  EXPECT_EQ(result_in(init()), VTPM_RESULT_BAD_DATASIZE);
}

TEST_F(InitTooEarly, OnceTheBlobWasGivenWhole_PowersOn) {
  begin_permanent();
  init();
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob_of(as_bytes("given")))),
            VTPM_RESULT_SUCCESS);

  expect_permanent(to_bytes("given"));
}

TEST_F(InitTooEarly, BehindABlobOfNoByte_PowersOn) {
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_SAVESTATE, {})), VTPM_RESULT_SUCCESS);

  EXPECT_EQ(result_in(init()), VTPM_RESULT_SUCCESS);
}

TEST_F(InitTooEarly, BehindStop_PowersOnFromWhatIsStored) {
  begin_permanent();
  ask(VTPM_STOP);

  EXPECT_EQ(result_in(init()), VTPM_RESULT_SUCCESS);
}

TEST_F(InitTooEarly, BehindABlobThatWasRefusedInWords_PowersOn) {
  Bytes not_a_blob(100);
  EXPECT_NE(result_in(set(VTPM_BLOB_TYPE_PERMANENT, not_a_blob)), VTPM_RESULT_SUCCESS);

  EXPECT_EQ(result_in(init()), VTPM_RESULT_SUCCESS);
}

TEST_F(SetStateTest, EmptyTwice_ForgetsWhatWasGiven) {
  set(VTPM_BLOB_TYPE_PERMANENT, blob_of(as_bytes("given")));

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, {})), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, {})), VTPM_RESULT_SUCCESS);

  expect_permanent(Bytes(4));  // a new one
}

TEST_F(SetStateTest, LengthAboveTheField_IsABadParameterAndEndsTheTransfer) {
  set(VTPM_BLOB_TYPE_PERMANENT, Bytes(kPiece));

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, {}, kPiece + 1)), VTPM_RESULT_BAD_PARAMETER);
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, {}, 0xffffffff)), VTPM_RESULT_BAD_PARAMETER);
  EXPECT_EQ(transfer_->state(), BlobTransfer::State::idle);
}

TEST_F(SetStateTest, TypeThatDoesNotExist_IsABadParameter) {
  EXPECT_EQ(result_in(set(0, Bytes(10))), VTPM_RESULT_BAD_PARAMETER);
  EXPECT_EQ(result_in(set(4, Bytes(10))), VTPM_RESULT_BAD_PARAMETER);
}

// B22
TEST_F(SetStateTest, BlobAbove512KiB_IsRefusedAndForgotten) {
  constexpr size_t kMostPieces = size_t{512} * 1024 / kPiece;  // 170, and 2048 bytes
  for (size_t i = 0; i < kMostPieces; ++i) {
    ASSERT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, Bytes(kPiece))), VTPM_RESULT_SUCCESS);
  }

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, Bytes(kPiece))), VTPM_RESULT_SIZE);

  EXPECT_EQ(transfer_->state(), BlobTransfer::State::idle);
}

TEST_F(SetStateTest, BlobOfExactly512KiB_IsLookedAt) {
  constexpr size_t kMostPieces = size_t{512} * 1024 / kPiece;
  Bytes blob = blob_of(BlobTransfer::kLargestBlob - kOverhead);
  ByteView rest = blob;
  for (size_t i = 0; i < kMostPieces; ++i) {
    ASSERT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, rest.first(kPiece))), VTPM_RESULT_SUCCESS);
    rest = rest.subspan(kPiece);
  }

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, rest)), VTPM_RESULT_SUCCESS);
}

// B6
TEST_F(SetStateTest, AbandonedTransfer_IsForgottenByAnyOtherRequest) {
  set(VTPM_BLOB_TYPE_PERMANENT, Bytes(kPiece));
  ask(VTPM_GET_CAPABILITY);

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob_of(as_bytes("given")))),
            VTPM_RESULT_SUCCESS);

  expect_permanent(to_bytes("given"));
}

TEST_F(SetStateTest, AnotherTypeBetween_BeginsAnew) {
  set(VTPM_BLOB_TYPE_PERMANENT, Bytes(kPiece));
  set(VTPM_BLOB_TYPE_SAVESTATE, Bytes(kPiece));

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob_of(as_bytes("given")))),
            VTPM_RESULT_SUCCESS);
}

TEST_F(SetStateTest, TransferThatAPhaseChangeOvertook_IsForgotten) {
  set(VTPM_BLOB_TYPE_PERMANENT, Bytes(kPiece));
  must(tpm_.power_on());

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, {})), VTPM_RESULT_BAD_ORDINAL);
  EXPECT_EQ(transfer_->state(), BlobTransfer::State::idle);
}

// -- order rules --

TEST_F(SetStateTest, VolatileWithoutPermanent_IsRefusedByTheTpm) {
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_VOLATILE, blob_of(as_bytes("v")))), VTPM_RESULT_RETRY);
}

TEST_F(SetStateTest, VolatileAfterPermanent_IsTakenAndResumed) {
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob_of(as_bytes("p")))), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_VOLATILE, blob_of(as_bytes("v")))), VTPM_RESULT_SUCCESS);

  init();

  EXPECT_EQ(execute(get_random(4)), rc::success) << "started";
  EXPECT_TRUE(tpm_.started());
}

TEST_F(SetStateTest, GivenState_IsWrittenByInitOnly) {
  set(VTPM_BLOB_TYPE_PERMANENT, blob_of(as_bytes("given")));
  EXPECT_EQ(store_.stores, 0);

  init();

  EXPECT_EQ(*store_.find({TpmVersion::tpm20, BlobKind::permanent}), to_bytes("given"));
  EXPECT_EQ(store_.find({TpmVersion::tpm20, BlobKind::volatile_state}), nullptr);
}

TEST_F(SetStateTest, SavestateWithData_IsABadType) {
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_SAVESTATE, blob_of(as_bytes("s")))), VTPM_RESULT_BAD_TYPE);
}

TEST_F(SetStateTest, SavestateEmpty_IsSuccess) {
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_SAVESTATE, {})), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_SAVESTATE, {})), VTPM_RESULT_SUCCESS);
}

TEST_F(SetStateTest, InFailedPhase_AGoodStateCanBeGiven) {
  enter(Phase::failed);

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob_of(as_bytes("given")))),
            VTPM_RESULT_SUCCESS);

  expect_permanent(to_bytes("given"));
}

// -- damaged blobs --

struct Damage {
  const char* name;
  Bytes blob;
  uint32_t result;
};

class DamagedBlob : public StateBlobTest, public testing::WithParamInterface<Damage> {};

TEST_P(DamagedBlob, Set_SaysWhatIsWrong) {
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, GetParam().blob)), GetParam().result);
}

const std::vector<Damage>& damages() {
  // 0004 { 0001 { abcd } }, in a header that says so
  static const std::vector<Damage> list = {
      {"Nothing", hex("0201000a0004"), VTPM_RESULT_BAD_PARAMETER},
      {"WrongTotal", hex("0201000a000400000019 000400000008 000100000002abcd"),
       VTPM_RESULT_BAD_PARAMETER},
      {"NewerVersion", hex("0303000a000400000018 000400000008 000100000002abcd"),
       VTPM_RESULT_BAD_VERSION},
      {"WrongHeaderLength", hex("0201000b000400000018 000400000008 000100000002abcd"),
       VTPM_RESULT_BAD_DATASIZE},
      {"NoMigrationData", hex("0201000a000400000018 000900000008 000100000002abcd"),
       VTPM_RESULT_BAD_PARAMETER},
      {"NoDataWithin", hex("0201000a000400000018 000400000008 000900000002abcd"),
       VTPM_RESULT_BAD_PARAMETER},
      {"WithMigrationKey", hex("0201000a000600000018 000400000008 000100000002abcd"),
       VTPM_RESULT_KEYNOTFOUND},
      {"WithFileKey", hex("0201000a000500000018 000400000008 000100000002abcd"),
       VTPM_RESULT_KEYNOTFOUND},
      {"StateThatTheTpmRefuses", wrap_migration_blob(hex("ffff"), nullptr).value(),
       VTPM_RESULT_BAD_TYPE},
  };
  return list;
}

INSTANTIATE_TEST_SUITE_P(Blobs, DamagedBlob, testing::ValuesIn(damages()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace vtpm
