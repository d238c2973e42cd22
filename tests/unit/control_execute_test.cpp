// EXECUTE: one command and its response in one request, by the rules of write() and read().
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "tests/unit/control_surface_fixture.h"

namespace vtpm {
namespace {

using testing::Each;

class ExecuteTest : public ControlSurfaceTest {
 protected:
  using ControlSurfaceTest::ControlSurfaceTest;

  void SetUp() override {
    init_and_start();
    fake_.executed.clear();
  }

  static Bytes request(ByteView command, uint32_t locality, uint32_t length) {
    auto structure = std::make_unique<vtpm_execute>();
    structure->req.locality = locality;
    structure->req.length = length;
    std::memcpy(structure->req.data, command.data(), command.size());
    return to_bytes(view_of(*structure));
  }
  static Bytes request(ByteView command, uint32_t locality = VTPM_LOCALITY_CURRENT) {
    return request(command, locality, static_cast<uint32_t>(command.size()));
  }
  Result<Bytes> send(ByteView in, Privilege caller = Privilege::raw_user) {
    return ask(VTPM_EXECUTE, in, caller);
  }
  static Bytes response_in(const Result<Bytes>& answer) {
    auto structure = from<vtpm_execute>(answer);
    EXPECT_EQ(structure.resp.tpm_result, VTPM_RESULT_SUCCESS);
    return to_bytes(std::as_bytes(std::span(structure.resp.data)).first(structure.resp.length));
  }
};

TEST_F(ExecuteTest, Command_GetsItsResponse) {
  EXPECT_EQ(response_in(send(request(get_random(4)))), hex("8001 00000010 00000000 0004 01020304"));
}

TEST_F(ExecuteTest, Answer_HasNoByteThatIsNotOfTheResponse) {
  auto answer = from<vtpm_execute>(send(request(get_random(4))));

  EXPECT_THAT(std::span(answer.resp.data).subspan(16), Each(0));
}

TEST_F(ExecuteTest, BytesBehindTheDeclaredOnes_AreNotSent) {
  Bytes command = get_random(4);
  command.resize(command.size() + 7);

  EXPECT_EQ(response_code(response_in(send(request(command)))), rc::success);
}

TEST_F(ExecuteTest, LengthBelowAHeader_IsABadParameter) {
  EXPECT_EQ(result_in(send(request(get_random(4), VTPM_LOCALITY_CURRENT, 0))),
            VTPM_RESULT_BAD_PARAMETER);
  EXPECT_EQ(result_in(send(request(get_random(4), VTPM_LOCALITY_CURRENT, 9))),
            VTPM_RESULT_BAD_PARAMETER);
}

TEST_F(ExecuteTest, LengthBelowTheDeclaredOne_IsABadParameter) {
  EXPECT_EQ(result_in(send(request(get_random(4), VTPM_LOCALITY_CURRENT, 11))),
            VTPM_RESULT_BAD_PARAMETER);
}

TEST_F(ExecuteTest, LengthAboveTheField_IsABadParameter) {
  EXPECT_EQ(result_in(send(request(get_random(4), VTPM_LOCALITY_CURRENT, VTPM_COMMAND_MAX + 1))),
            VTPM_RESULT_BAD_PARAMETER);
  EXPECT_EQ(result_in(send(request(get_random(4), VTPM_LOCALITY_CURRENT, 0xffffffff))),
            VTPM_RESULT_BAD_PARAMETER);
}

TEST_F(ExecuteTest, DeclaredSizeBelowAHeader_IsABadParameter) {
  EXPECT_EQ(result_in(send(request(hex("8001 00000009 0000017b 0004")))),
            VTPM_RESULT_BAD_PARAMETER);
  EXPECT_THAT(fake_.executed, testing::IsEmpty());
}

TEST_F(ExecuteTest, LargestCommand_IsSentWhole) {
  Bytes command = get_random(4);
  command.resize(VTPM_COMMAND_MAX);
  command[4] = std::byte{0x10};
  command[5] = std::byte{0x00};

  send(request(command));

  EXPECT_EQ(fake_.commands.back().size(), size_t{VTPM_COMMAND_MAX});
}

TEST_F(ExecuteTest, CurrentLocality_IsTheOneThatWasSet) {
  set_locality(2);

  send(request(get_random(4)));

  EXPECT_EQ(fake_.last_locality, Locality{2});
}

TEST_F(ExecuteTest, LocalityOfItsOwn_IsForThisCommandOnly) {
  set_locality(2);

  send(request(get_random(4), 3), Privilege::control);
  EXPECT_EQ(fake_.last_locality, Locality{3});

  send(request(get_random(4)));
  EXPECT_EQ(fake_.last_locality, Locality{2});
  EXPECT_EQ(tpm_.locality(), Locality{2});
}

TEST_F(ExecuteTest, LocalityOfItsOwn_IsForWhoMayControl) {
  EXPECT_EQ(result_in(send(request(get_random(4), 0), Privilege::raw_user)),
            VTPM_RESULT_BAD_LOCALITY);
  EXPECT_THAT(fake_.executed, testing::IsEmpty());
}

TEST_F(ExecuteTest, LocalityThatDoesNotExist_IsRefused) {
  EXPECT_EQ(result_in(send(request(get_random(4), 5), Privilege::control)),
            VTPM_RESULT_BAD_LOCALITY);
  EXPECT_EQ(result_in(send(request(get_random(4), 0x100), Privilege::control)),
            VTPM_RESULT_BAD_LOCALITY);
}

TEST_F(ExecuteTest, WhileOff_GetsTheFailureResponse) {
  ask(VTPM_STOP);

  EXPECT_EQ(response_in(send(request(get_random(4)))), failure_response(TpmVersion::tpm20));
}

class ExecuteReject4Test : public ExecuteTest {
 protected:
  ExecuteReject4Test() : ExecuteTest({.policy = {.reject_locality_4 = true}}) {}
};

TEST_F(ExecuteReject4Test, Locality4_IsRefused) {
  EXPECT_EQ(result_in(send(request(get_random(4), 4), Privilege::control)),
            VTPM_RESULT_BAD_LOCALITY);
  EXPECT_EQ(response_code(response_in(send(request(get_random(4), 3), Privilege::control))),
            rc::success);
}

// -- beside a command that runs --

class ExecuteBesideACommand : public ExecuteTest {
 protected:
  void SetUp() override {
    ExecuteTest::SetUp();
    fake_.hold_long_commands();
    command_ = std::async(std::launch::async, [this, pending = tpm_.accept()]() mutable {
      queue_.run([this, pending] {
        command_result_ = response_code(tpm_.execute(pending, create_primary()));
      });
    });
    fake_.wait_until_held();
  }

  ResponseCode command_result_{};
  std::future<void> command_;
};

TEST_F(ExecuteBesideACommand, Execute_WaitsForIt) {
  auto answers = begin(VTPM_EXECUTE, request(get_random(4)));
  EXPECT_TRUE(answers->empty());

  fake_.release();
  command_.get();

  ASSERT_EQ(answers->size(), 1u);
  EXPECT_EQ(response_code(response_in(answers->front())), rc::success);
  EXPECT_EQ(command_result_, rc::success);
}

TEST_F(ExecuteBesideACommand, Cancel_MeansTheRunningOneAndNotTheOneThatWaits) {
  auto answers = begin(VTPM_EXECUTE, request(get_random(4)));

  EXPECT_EQ(result_in(ask(VTPM_CANCEL_TPM_CMD)), VTPM_RESULT_SUCCESS);
  command_.get();

  EXPECT_EQ(command_result_, rc::canceled);
  EXPECT_EQ(response_code(response_in(answers->at(0))), rc::success);
}

TEST_F(ExecuteTest, CanceledWhileQueued_EndsCanceledAndTheNextOneIsFine) {
  Answers first;
  Answers second;

  queue_.run([&] {
    first = begin(VTPM_EXECUTE, request(get_random(4)));
    EXPECT_TRUE(first->empty());
    ask(VTPM_CANCEL_TPM_CMD);
    second = begin(VTPM_EXECUTE, request(get_random(4)));
  });

  EXPECT_EQ(response_code(response_in(first->at(0))), rc::canceled);
  EXPECT_EQ(response_code(response_in(second->at(0))), rc::success);
}

}  // namespace
}  // namespace vtpm
