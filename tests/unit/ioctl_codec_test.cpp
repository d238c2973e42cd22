// Ioctls as bytes against control requests as values.
#include "ctl/control/ioctl_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <vtpm/ioctl.h>

#include <cstring>
#include <set>

#include "ctl/control/control_call.h"
#include "tests/support/hex.h"
#include "tests/support/must.h"

namespace vtpm {
namespace {

template <class Structure>
ByteView view_of(const Structure& structure) {
  return std::as_bytes(std::span(&structure, 1));
}

// -- every row --

class EveryIoctl : public testing::TestWithParam<IoctlRow> {
 protected:
  [[nodiscard]] static size_t size() {
    return (_IOC_DIR(GetParam().number) & _IOC_WRITE) == 0 ? 0 : _IOC_SIZE(GetParam().number);
  }
};

TEST_P(EveryIoctl, Number_IsOfTypePOrOursAndSaysThatItAnswers) {
  EXPECT_THAT(_IOC_TYPE(GetParam().number), testing::AnyOf('P', 0xE9));
  EXPECT_NE(_IOC_DIR(GetParam().number) & _IOC_READ, 0u);
}

TEST_P(EveryIoctl, Number_FindsTheRow) {
  const IoctlRow* found = find_ioctl(GetParam().number);

  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->request, GetParam().request);
}

TEST_P(EveryIoctl, OneByteTooLong_IsInvalid) {
  auto exchange =
      IoctlExchange::begin(GetParam(), Bytes(size() + 1), std::make_shared<BlobTransfer>());

  EXPECT_EQ(exchange.error().code, Errc::invalid);
}

INSTANTIATE_TEST_SUITE_P(Ioctls, EveryIoctl,
                         testing::ValuesIn(ioctl_table().begin(), ioctl_table().end()),
                         [](const auto& row) { return std::string(row.param.row().name); });

TEST(IoctlTable, Numbers_AreUnique) {
  std::set<uint32_t> numbers;
  for (const IoctlRow& row : ioctl_table()) {
    EXPECT_TRUE(numbers.insert(row.number).second) << row.row().name;
  }
}

TEST(IoctlTable, Rows_AreTheControlTables) {
  std::vector<size_t> ioctls;
  std::vector<size_t> rows;

  std::ranges::transform(ioctl_table(), std::back_inserter(ioctls), &IoctlRow::request);
  std::ranges::transform(control_table(), std::back_inserter(rows), &ControlRow::request);

  EXPECT_EQ(ioctls, rows);
}

TEST(IoctlTable, SetDataFd_IsForSocketsOnly) {
  EXPECT_EQ(find_ioctl(VTPM_SET_DATAFD), nullptr);
}

TEST(IoctlTable, UnknownNumber_HasNoRow) {
  constexpr uint32_t kTcgets = 0x5401;

  EXPECT_EQ(find_ioctl(kTcgets), nullptr);
  EXPECT_EQ(find_ioctl(0), nullptr);
}

TEST(IoctlTable, ResultOnly_IsFourBytesInTheCallersOrder) {
  uint32_t result = 0x0a;

  EXPECT_THAT(result_only(result), testing::ElementsAreArray(view_of(result)));
}

// -- every request, decoded from its structure and its answer encoded --

// A structure that is taken, and an answer to it with the size of its response.
struct Sample {
  uint32_t number;
  Bytes in;
  ControlAnswer (*answer)();
  size_t response;
};

Bytes words(std::initializer_list<uint32_t> first, size_t size) {
  Bytes bytes(size);
  std::memcpy(bytes.data(), std::data(first), first.size() * sizeof(uint32_t));
  return bytes;
}

ControlAnswer done() {
  return {};
}
template <class Answer>
ControlAnswer an() {
  return Answer{};
}

std::vector<Sample> samples() {
  using namespace requests;  // NOLINT: nothing but this list
  return {
      {VTPM_GET_CAPABILITY, {}, an<GetCapability::Answer>, 8},
      {VTPM_INIT, Bytes(4), done, 4},
      {VTPM_SHUTDOWN, {}, done, 4},
      {VTPM_GET_TPMESTABLISHED, {}, an<GetEstablished::Answer>, 8},
      {VTPM_SET_LOCALITY, Bytes(4), done, 4},
      {VTPM_HASH_START, {}, done, 4},
      {VTPM_HASH_DATA, Bytes(4100), done, 4},
      {VTPM_HASH_END, {}, done, 4},
      {VTPM_CANCEL_TPM_CMD, {}, done, 4},
      {VTPM_STORE_VOLATILE, {}, done, 4},
      {VTPM_RESET_TPMESTABLISHED, Bytes(4), done, 4},
      {VTPM_GET_STATEBLOB, words({0, VTPM_BLOB_TYPE_PERMANENT}, 3088), an<GetState::Answer>, 3088},
      {VTPM_SET_STATEBLOB, words({0, VTPM_BLOB_TYPE_PERMANENT, 8}, 3084), done, 4},
      {VTPM_STOP, {}, done, 4},
      {VTPM_GET_CONFIG, {}, an<GetConfig::Answer>, 8},
      {VTPM_SET_BUFFERSIZE, Bytes(16), an<SetBufferSize::Answer>, 16},
      {VTPM_GET_INFO, Bytes(3088), [] { return ControlAnswer(GetInfo::Answer{"{}"}); }, 3088},
      {VTPM_LOCK_STORAGE, Bytes(4), done, 4},
      {VTPM_EXECUTE, Bytes(4104), an<Execute::Answer>, 4104},
      {VTPM_GET_STATUS, {}, an<GetStatus::Answer>, 552},
      {VTPM_SET_VERSION, words({VTPM_VERSION_2_0}, 4), done, 4},
      {VTPM_GET_DETAILS, {}, an<GetDetails::Answer>, 424},
      {VTPM_GET_SPACES, Bytes(1040), an<GetSpaces::Answer>, 1040},
  };
}

TEST(IoctlCodec, Samples_AreOfEveryRow) {
  std::vector<uint32_t> sampled;
  std::vector<uint32_t> rows;

  std::ranges::transform(samples(), std::back_inserter(sampled), &Sample::number);
  std::ranges::transform(ioctl_table(), std::back_inserter(rows), &IoctlRow::number);

  EXPECT_EQ(sampled, rows);
}

class EverySample : public testing::TestWithParam<Sample> {
 protected:
  [[nodiscard]] IoctlExchange exchange() const {
    return must(IoctlExchange::begin(*find_ioctl(GetParam().number), GetParam().in,
                                     std::make_shared<BlobTransfer>()));
  }
};

TEST_P(EverySample, Structure_IsTheRowsRequest) {
  auto request = must(exchange().request());

  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->index(), find_ioctl(GetParam().number)->request);
}

TEST_P(EverySample, Answer_IsAStructureOfItsSize) {
  Bytes response = must(exchange().response(GetParam().answer()));

  EXPECT_EQ(response.size(), GetParam().response);
}

TEST_P(EverySample, Refusal_IsTheResultAlone) {
  Bytes response = must(exchange().response(refusal(0x1234, "for a reason")));

  EXPECT_EQ(response, result_only(0x1234));
}

TEST_P(EverySample, ErrorWithoutAResultCode_IsTheCallersToTell) {
  auto response = exchange().response(failure(Errc::denied, "not you"));

  EXPECT_EQ(response.error().code, Errc::denied);
}

INSTANTIATE_TEST_SUITE_P(Ioctls, EverySample, testing::ValuesIn(samples()), [](const auto& sample) {
  return std::string(find_ioctl(sample.param.number)->row().name);
});

// -- what structures say --

class IoctlValues : public testing::Test {
 protected:
  template <class Structure>
  [[nodiscard]] IoctlExchange begin(uint32_t number, const Structure& in) const {
    return must(IoctlExchange::begin(*find_ioctl(number), view_of(in), transfer_));
  }
  template <class Request, class Structure>
  [[nodiscard]] Request value(uint32_t number, const Structure& in) const {
    return std::get<Request>(must(begin(number, in).request()).value());
  }
  template <class Structure>
  [[nodiscard]] uint32_t refused(uint32_t number, const Structure& in) const {
    return begin(number, in).request().error().tpm_result;
  }

  std::shared_ptr<BlobTransfer> transfer_ = std::make_shared<BlobTransfer>();
};

TEST_F(IoctlValues, Init_SaysWhatBecomesOfStoredVolatileState) {
  vtpm_init keep{.req = {~VTPM_INIT_FLAG_DELETE_VOLATILE}};
  vtpm_init discard{.req = {VTPM_INIT_FLAG_DELETE_VOLATILE}};

  EXPECT_EQ(value<requests::Init>(VTPM_INIT, keep).stored, StoredVolatile::keep);
  EXPECT_EQ(value<requests::Init>(VTPM_INIT, discard).stored, StoredVolatile::discard);
}

TEST_F(IoctlValues, Locality_IsWhateverTheCallerSays) {
  vtpm_locality in{.req = {0xfe}};

  EXPECT_EQ(value<requests::SetLocality>(VTPM_SET_LOCALITY, in).locality, Locality{0xfe});
  EXPECT_EQ(value<requests::ResetEstablished>(VTPM_RESET_TPMESTABLISHED, in).locality,
            Locality{0xfe});
}

TEST_F(IoctlValues, ExecuteWithTheCurrentLocality_HasNone) {
  vtpm_execute in{.req = {.locality = VTPM_LOCALITY_CURRENT, .length = 2, .data = {0x80, 0x01}}};

  auto request = value<requests::Execute>(VTPM_EXECUTE, in);

  EXPECT_EQ(request.command, hex("8001"));
  EXPECT_EQ(request.locality, std::nullopt);
}

TEST_F(IoctlValues, ExecuteWithALocalityAboveAByte_HasOneThatNoTpmHas) {
  vtpm_execute in{.req = {.locality = 0x100, .length = 0, .data = {}}};

  EXPECT_GT(value<requests::Execute>(VTPM_EXECUTE, in).locality, kHighestLocality);
}

TEST_F(IoctlValues, HashData_IsOfItsLength) {
  vtpm_hash_data in{.req = {.length = 3, .data = {1, 2, 3, 4}}};

  EXPECT_EQ(value<requests::HashData>(VTPM_HASH_DATA, in).data, hex("010203"));
}

TEST_F(IoctlValues, LengthAboveTheField_IsRefusedWithTheRequestsOwnCode) {
  vtpm_hash_data data{.req = {.length = VTPM_HASH_DATA_MAX + 1, .data = {}}};
  vtpm_execute command{.req = {.locality = 0, .length = VTPM_COMMAND_MAX + 1, .data = {}}};

  EXPECT_EQ(refused(VTPM_HASH_DATA, data), VTPM_RESULT_FAIL);
  EXPECT_EQ(refused(VTPM_EXECUTE, command), VTPM_RESULT_BAD_PARAMETER);
}

TEST_F(IoctlValues, Version_IsOneThatATpmHas) {
  vtpm_version tpm12{.req = {VTPM_VERSION_1_2}};
  vtpm_version none{.req = {3}};

  EXPECT_EQ(value<requests::SetVersion>(VTPM_SET_VERSION, tpm12).version, TpmVersion::tpm12);
  EXPECT_EQ(refused(VTPM_SET_VERSION, none), VTPM_RESULT_BAD_PARAMETER);
}

TEST_F(IoctlValues, TextBehindAnOffset_IsTheRestWithItsNul) {
  vtpm_info in{.req = {.flags = 0, .offset = 2, .pad = 0}};

  Bytes bytes = must(begin(VTPM_GET_INFO, in).response(requests::GetInfo::Answer{"abcd"}));

  vtpm_info answer{};
  std::memcpy(&answer, bytes.data(), sizeof(answer));
  EXPECT_EQ(answer.resp.totlength, 5u);
  EXPECT_EQ(answer.resp.length, 3u);
  EXPECT_STREQ(answer.resp.buffer, "cd");
}

// -- blobs --

TEST_F(IoctlValues, PiecesOfABlob_AreOneRequest) {
  auto full = std::make_unique<vtpm_set_state>();
  full->req.type = VTPM_BLOB_TYPE_PERMANENT;
  full->req.length = VTPM_STATE_BLOB_SIZE;
  vtpm_set_state last{
      .req = {.state_flags = 0, .type = VTPM_BLOB_TYPE_PERMANENT, .length = 1, .data = {7}}};

  auto first = must(begin(VTPM_SET_STATEBLOB, *full).request());
  auto request = value<requests::SetState>(VTPM_SET_STATEBLOB, last);

  EXPECT_EQ(first, std::nullopt);
  EXPECT_EQ(request.kind, BlobKind::permanent);
  EXPECT_EQ(request.blob.size(), VTPM_STATE_BLOB_SIZE + 1u);
  EXPECT_EQ(request.blob.view().back(), std::byte{7});
}

TEST_F(IoctlValues, LaterPieceOfABlobUnderWay_AsksNobody) {
  transfer_->begin_get(BlobKind::permanent, Bytes(4000));
  vtpm_get_state in{.req = {.state_flags = 0, .type = VTPM_BLOB_TYPE_PERMANENT, .offset = 3072}};
  IoctlExchange exchange = begin(VTPM_GET_STATEBLOB, in);

  EXPECT_EQ(must(exchange.request()), std::nullopt);
  Bytes bytes = must(exchange.response(ControlAnswer()));

  vtpm_get_state answer{};
  std::memcpy(&answer, bytes.data(), sizeof(answer));
  EXPECT_EQ(answer.resp.totlength, 4000u);
  EXPECT_EQ(answer.resp.length, 4000u - 3072u);
}

TEST_F(IoctlValues, InitBehindABlobInPart_IsRefusedUntilStop) {
  transfer_->begin_set(BlobKind::permanent, false);
  transfer_->append(Bytes(10));

  EXPECT_EQ(refused(VTPM_INIT, vtpm_init{}), VTPM_RESULT_BAD_DATASIZE);
  must(must(IoctlExchange::begin(*find_ioctl(VTPM_STOP), {}, transfer_)).request());
  EXPECT_TRUE(begin(VTPM_INIT, vtpm_init{}).request().has_value());
}

// Neither direction of a transfer is that request's.
TEST_F(IoctlValues, GetOfATypeThatDoesNotExist_LeavesTheTransfer) {
  vtpm_get_state in{.req = {.state_flags = 0, .type = 9, .offset = 0}};
  auto ask = [&] {
    IoctlExchange exchange = begin(VTPM_GET_STATEBLOB, in);
    return must(exchange.response(tl::unexpected(exchange.request().error())));
  };

  transfer_->begin_get(BlobKind::permanent, Bytes(4000));
  EXPECT_EQ(ask(), result_only(VTPM_RESULT_BAD_PARAMETER));
  EXPECT_EQ(transfer_->state(), BlobTransfer::State::getting);
  transfer_->begin_set(BlobKind::permanent, false);
  EXPECT_EQ(ask(), result_only(VTPM_RESULT_BAD_PARAMETER));
  EXPECT_EQ(transfer_->state(), BlobTransfer::State::setting);
}

TEST_F(IoctlValues, SetOfATypeThatDoesNotExist_EndsTheTransfer) {
  transfer_->begin_set(BlobKind::permanent, false);
  auto in = std::make_unique<vtpm_set_state>();
  in->req.type = 9;

  EXPECT_EQ(refused(VTPM_SET_STATEBLOB, *in), VTPM_RESULT_BAD_PARAMETER);

  EXPECT_EQ(transfer_->state(), BlobTransfer::State::idle);
}

TEST_F(IoctlValues, RefusedRequest_EndsTheTransfer) {
  transfer_->begin_get(BlobKind::permanent, Bytes(4000));
  vtpm_get_state in{.req = {.state_flags = 0, .type = VTPM_BLOB_TYPE_PERMANENT, .offset = 3072}};

  must(begin(VTPM_GET_STATEBLOB, in).response(refusal(VTPM_RESULT_BAD_ORDINAL, "not now")));

  EXPECT_EQ(transfer_->state(), BlobTransfer::State::idle);
}

TEST(IoctlCodec, SpacesBeyondAPage_AreCountedAsMore) {
  requests::GetSpaces::Answer answer;
  for (uint64_t id = 1; id <= 40; ++id) {
    answer.spaces.push_back({.id = id, .peer = {.pid = 42, .uid = 7}, .objects = 3});
  }
  auto transfer = std::make_shared<BlobTransfer>();
  auto exchange = must(
      IoctlExchange::begin(*find_ioctl(VTPM_GET_SPACES), Bytes(sizeof(vtpm_spaces)), transfer));

  Bytes response = must(exchange.response(ControlAnswer(std::move(answer))));

  vtpm_spaces page{};
  ASSERT_EQ(response.size(), sizeof(page));
  std::memcpy(&page, response.data(), sizeof(page));
  EXPECT_EQ(page.resp.count, 32u);
  EXPECT_EQ(page.resp.more, 8u);
  EXPECT_EQ(page.resp.spaces[31].id, 32u);
  EXPECT_EQ(page.resp.spaces[31].pid, 42u);
  EXPECT_EQ(page.resp.spaces[31].uid, 7u);
  EXPECT_EQ(page.resp.spaces[31].objects, 3u);
}

}  // namespace
}  // namespace vtpm
