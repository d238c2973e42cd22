// What vtpmctl makes of a device's pieces: a device may say anything.
#include "ctl/tool/device/transfers.h"

#include <gmock/gmock.h>

#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/support/commands.h"
#include "tests/unit/vtpmctl_fixture.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Transfer : public testing::Test {
 protected:
  // A device that holds this blob and hands it out as it should.
  void hold(Bytes blob) {
    device_.on<vtpm_get_state>(VTPM_GET_STATEBLOB, [blob = std::move(blob)](auto& structure) {
      uint32_t offset = structure.req.offset;
      size_t length = std::min<size_t>(blob.size() - offset, VTPM_STATE_BLOB_SIZE);
      say(structure, blob.size(), length);
      std::memcpy(structure.resp.data, blob.data() + offset, length);
      return 0;
    });
  }
  // A device that says these lengths, in turn.
  void claim(const std::vector<std::pair<size_t, size_t>>& total_and_length) {
    auto next = std::make_shared<size_t>(0);
    device_.on<vtpm_get_state>(VTPM_GET_STATEBLOB, [total_and_length, next](auto& structure) {
      auto [total, length] = total_and_length.at((*next)++);
      say(structure, total, length);
      return 0;
    });
  }
  static void say(vtpm_get_state& structure, size_t total, size_t length) {
    structure.resp.tpm_result = VTPM_RESULT_SUCCESS;
    structure.resp.totlength = static_cast<uint32_t>(total);
    structure.resp.length = static_cast<uint32_t>(length);
  }
  // A device that collects the pieces it is given.
  void collect() {
    device_.on<vtpm_set_state>(VTPM_SET_STATEBLOB, [this](auto& structure) {
      pieces_.push_back(structure.req.length);
      structure.resp.tpm_result = VTPM_RESULT_SUCCESS;
      return 0;
    });
  }
  Result<Bytes> get() { return get_state_blob(client_, BlobKind::permanent, false); }
  Result<void> set(ByteView blob) { return set_state_blob(client_, BlobKind::permanent, blob); }

  static Bytes blob_of(size_t size) {
    size_t header = wrap_migration_blob({}, nullptr)->size();
    return *wrap_migration_blob(Bytes(size - header, std::byte{7}), nullptr);
  }

  AnsweringDevice device_;
  DeviceClient client_ = device_.client();
  std::vector<uint32_t> pieces_;
};

TEST_F(Transfer, Get_BlobOfSeveralPieces_IsWhole) {
  Bytes blob = blob_of(7000);
  hold(blob);

  EXPECT_EQ(get().value(), blob);
  EXPECT_EQ(device_.asked.size(), 3u);
}

TEST_F(Transfer, Get_BlobOfWholePieces_IsWhole) {
  Bytes blob = blob_of(2 * size_t{VTPM_STATE_BLOB_SIZE});
  hold(blob);

  EXPECT_EQ(get().value(), blob);
}

TEST_F(Transfer, Get_PieceLargerThanItsRoom_IsAContradiction) {
  claim({{100000, VTPM_STATE_BLOB_SIZE + 1}});

  EXPECT_EQ(get().error().code, Errc::corrupt);
}

TEST_F(Transfer, Get_PieceBehindTheEnd_IsAContradiction) {
  claim({{3100, 3072}, {3100, 29}});

  EXPECT_EQ(get().error().code, Errc::corrupt);
}

TEST_F(Transfer, Get_TotalLargerThanABlob_IsRefusedAtOnce) {
  claim({{kLargestBlob + 1, 1}});

  EXPECT_EQ(get().error().code, Errc::corrupt);
}

TEST_F(Transfer, Get_TotalThatChanges_IsAContradiction) {
  claim({{5000, 3072}, {5001, 1}});

  EXPECT_THAT(get().error().message, HasSubstr("changed its size from 5000 to 5001"));
}

TEST_F(Transfer, Get_EmptyPieceInTheMiddle_DoesNotGoOnForEver) {
  claim({{5000, 3072}, {5000, 0}});

  EXPECT_EQ(get().error().code, Errc::corrupt);
}

TEST_F(Transfer, Get_WhatIsNoBlob_IsSaid) {
  hold(Bytes(100, std::byte{0xEE}));

  EXPECT_THAT(get().error().message, HasSubstr("no usable permanent blob"));
}

TEST_F(Transfer, Get_SavestateThatIsNotThere_SaysWhoHasOne) {
  device_.refuse(VTPM_GET_STATEBLOB, VTPM_RESULT_RETRY);

  auto got = get_state_blob(client_, BlobKind::savestate, false);

  EXPECT_EQ(got.error().code, Errc::not_found);
  EXPECT_THAT(got.error().message, HasSubstr("TPM 1.2"));
}

TEST_F(Transfer, Set_Pieces_EndWithOneThatIsNotFull) {
  collect();
  ASSERT_TRUE(set(blob_of(4000)));
  EXPECT_THAT(pieces_, ElementsAre(3072, 928));
}

TEST_F(Transfer, Set_WholePieces_EndWithAnEmptyOne) {
  collect();
  ASSERT_TRUE(set(blob_of(3072)));
  EXPECT_THAT(pieces_, ElementsAre(3072, 0));
}

TEST_F(Transfer, Set_CutBlob_IsNotSent) {
  collect();
  Bytes blob = blob_of(4000);

  EXPECT_THAT(set(ByteView(blob).first(3999)).error().message, HasSubstr("cut or damaged"));
  EXPECT_TRUE(pieces_.empty());
}

TEST_F(Transfer, Set_VolatileBeforePermanent_SaysSo) {
  device_.refuse(VTPM_SET_STATEBLOB, VTPM_RESULT_RETRY);

  auto set = set_state_blob(client_, BlobKind::volatile_state, blob_of(100));

  EXPECT_THAT(set.error().message, HasSubstr("permanent blob that it belongs to"));
}

TEST_F(Transfer, Set_WhilePoweredOn_SaysWhatToType) {
  device_.refuse(VTPM_SET_STATEBLOB, VTPM_RESULT_BAD_ORDINAL);

  auto refused = set(blob_of(100));

  EXPECT_EQ(refused.error().code, Errc::wrong_phase);
  EXPECT_THAT(refused.error().message, HasSubstr("vtpmctl power off vtpm7"));
}

TEST_F(Transfer, Execute_ResponseLongerThanItsRoom_IsAContradiction) {
  device_.on<vtpm_execute>(VTPM_EXECUTE, [](auto& structure) {
    structure.resp.tpm_result = 0;
    structure.resp.length = VTPM_COMMAND_MAX + 1;
    return 0;
  });

  EXPECT_EQ(execute(client_, std::nullopt, get_random(4)).error().code, Errc::corrupt);
}

TEST_F(Transfer, Execute_ResponseThatDoesNotFitItsHeader_IsAContradiction) {
  device_.on<vtpm_execute>(VTPM_EXECUTE, [](auto& structure) {
    structure = {};
    structure.resp.length = 10;  // and a header of zeroes
    return 0;
  });

  EXPECT_EQ(execute(client_, std::nullopt, get_random(4)).error().code, Errc::corrupt);
}

TEST_F(Transfer, Execute_CommandLargerThanPossible_IsNotSent) {
  EXPECT_EQ(execute(client_, std::nullopt, Bytes(4097)).error().code, Errc::invalid);
  EXPECT_TRUE(device_.asked.empty());
}

TEST_F(Transfer, Info_TextWithoutItsNul_IsTakenAsFarAsItGoes) {
  device_.on<vtpm_info>(VTPM_GET_INFO, [](auto& structure) {
    structure = {};
    structure.resp.totlength = structure.resp.length = 2;
    structure.resp.buffer[0] = '{';
    structure.resp.buffer[1] = '}';
    return 0;
  });

  EXPECT_EQ(get_info(client_).value(), "{}");
}

TEST_F(Transfer, Hash_SourceThatFailsInTheMiddle_LeavesTheSequenceWithoutItsEnd) {
  int calls = 0;
  auto source = [&](size_t) -> Result<Bytes> {
    if (++calls == 1) {
      return Bytes(10);
    }
    return failure(Errc::io, "gone");
  };

  EXPECT_EQ(hash(client_, source).error().message, "gone");
  EXPECT_THAT(device_.asked, ElementsAre(VTPM_HASH_START, VTPM_HASH_DATA));
}

TEST_F(Transfer, Hash_NothingToHash_IsStartAndEnd) {
  EXPECT_TRUE(hash(client_, [](size_t) { return Bytes(); }));
  EXPECT_THAT(device_.asked, ElementsAre(VTPM_HASH_START, VTPM_HASH_END));
}

struct SystemError {
  int number;
  const char* advice;
};

class SystemErrorOfARequest : public testing::TestWithParam<SystemError> {};

TEST_P(SystemErrorOfARequest, IsToldWithTheDeviceTheRequestAndWhatToDo) {
  AnsweringDevice device;
  device.fail(VTPM_STOP, GetParam().number);
  DeviceClient client = device.client();

  std::string message = client.call(request::stop).error().message;

  EXPECT_THAT(message, HasSubstr("/dev/vtpmctl7: STOP"));
  EXPECT_THAT(message, HasSubstr(GetParam().advice));
}

INSTANTIATE_TEST_SUITE_P(Each, SystemErrorOfARequest,
                         testing::Values(SystemError{EPERM, "control user or group"},
                                         SystemError{ENOTTY, "not a vtpm device"},
                                         SystemError{ENODEV, "vtpmctl list"},
                                         SystemError{ECONNABORTED, "start vtpmd again"}));

}  // namespace
}  // namespace vtpm
