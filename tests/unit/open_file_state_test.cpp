// What an open file is, written down and read back: docs/open_file_format.md.
#include "cuse/nodes/open_file_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vtpm/ioctl.h>

#include <ostream>

#include "tests/support/fake_engine.h"
#include "tests/support/hex.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"
#include "tests/support/recording_transport.h"
#include "tests/support/wiped_memory.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {

void PrintTo(const OpenFileState& state, std::ostream* out) {
  *out << to_string(state);
}

namespace {

using testing::Test;

OpenFileState raw_file() {
  OpenFileState state;
  state.opening = {NodeKind::raw, true, Privilege::raw_user, {4711, 1000, 100, "qemu"}};
  state.response = ResponseBuffer(2, hex("0a0b0c"));
  state.response_left = std::chrono::milliseconds(1500);
  state.transfer.state = TransferState::getting;
  state.transfer.kind = BlobKind::volatile_state;
  state.transfer.cut_short = {BlobKind::permanent, BlobKind::savestate};
  state.transfer.blob = hex("112233");
  state.transfer.encrypted = true;
  state.transfer.offset = 1;
  return state;
}

Bytes written(const OpenFileState& state) {
  return write_open_file(state).get();
}

Errc refusal_of(ByteView bytes, NodeKind node = NodeKind::raw) {
  auto read = read_open_file(bytes, node);
  EXPECT_FALSE(read);
  return read ? Errc{} : read.error().code;
}

// As a whole with that byte changed.
Bytes with(size_t at, uint8_t byte) {
  Bytes bytes = written(raw_file());
  bytes.at(at) = std::byte{byte};
  return bytes;
}

TEST(OpenFileState, Written_IsAsTheDocumentSays) {
  EXPECT_EQ(written(raw_file()), hex("7674706d6f70656e 0001 01 01 02 00001267 000003e8 00000064"
                                     "0004 71656d75"
                                     "00000002 00000003 0a0b0c 000005dc"
                                     "01 02 05 01 00000001 00000003 112233"));
}

TEST(OpenFileState, WrittenAndRead_IsTheSame) {
  EXPECT_EQ(must(read_open_file(written(raw_file()), NodeKind::raw)), raw_file());
}

TEST(OpenFileState, OfNothing_IsTheSameToo) {
  OpenFileState state;
  state.opening.node = NodeKind::control;

  EXPECT_EQ(must(read_open_file(written(state), NodeKind::control)), state);
}

TEST(OpenFileState, OfTheManagedNode_HasAResponseAndNoTransfer) {
  OpenFileState state = raw_file();
  state.opening.node = NodeKind::managed;
  EXPECT_EQ(read_open_file(written(state), NodeKind::managed).error().code, Errc::corrupt);

  state.transfer = {};

  EXPECT_EQ(must(read_open_file(written(state), NodeKind::managed)), state);
}

TEST(OpenFileState, Told_HasNoByteOfTheTpms) {
  EXPECT_EQ(to_string(raw_file()),
            "raw node, process 4711, user 1000, group 100, may send commands; response: 3 bytes "
            "behind 2, for 1500 ms; transfer: a blob that is read, 3 bytes, at 1, permanent cut "
            "short, savestate cut short");
}

TEST(OpenFileState, AnotherNodes_IsRefused) {
  EXPECT_EQ(refusal_of(written(raw_file()), NodeKind::control), Errc::corrupt);
}

TEST(OpenFileState, AnotherVersion_IsUnsupported) {
  EXPECT_EQ(refusal_of(with(9, 2)), Errc::unsupported);
}

// -- damage --

TEST(DamagedOpenFile, CutAnywhere_IsRefused) {
  Bytes whole = written(raw_file());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(refusal_of(ByteView(whole).first(size)), Errc::corrupt) << size;
  }
}

TEST(DamagedOpenFile, WithMoreBehindIt_IsRefused) {
  Bytes bytes = written(raw_file());
  bytes.push_back(std::byte{});

  EXPECT_EQ(refusal_of(bytes), Errc::corrupt);
}

TEST(DamagedOpenFile, NumbersThatMeanNothing_AreRefused) {
  EXPECT_EQ(refusal_of(with(0, 'V')), Errc::corrupt);
  EXPECT_EQ(refusal_of(with(10, 3)), Errc::corrupt);     // node
  EXPECT_EQ(refusal_of(with(11, 2)), Errc::corrupt);     // flags
  EXPECT_EQ(refusal_of(with(12, 4)), Errc::corrupt);     // rights
  EXPECT_EQ(refusal_of(with(13, 0x80)), Errc::corrupt);  // process
  EXPECT_EQ(refusal_of(with(46, 4)), Errc::corrupt);     // transfer
  EXPECT_EQ(refusal_of(with(47, 0)), Errc::corrupt);     // blob
  EXPECT_EQ(refusal_of(with(48, 8)), Errc::corrupt);     // cut short
  EXPECT_EQ(refusal_of(with(49, 2)), Errc::corrupt);     // flags of the transfer
}

TEST(DamagedOpenFile, LengthsThatDoNotFit_AreRefused) {
  EXPECT_EQ(refusal_of(with(26, 0xff)), Errc::corrupt);  // name
  EXPECT_EQ(refusal_of(with(31, 0xff)), Errc::corrupt);  // offset of the response
  EXPECT_EQ(refusal_of(with(35, 0xff)), Errc::corrupt);  // its length
  EXPECT_EQ(refusal_of(with(53, 4)), Errc::corrupt);     // offset behind the blob
  EXPECT_EQ(refusal_of(with(54, 0xff)), Errc::corrupt);  // its length
}

TEST(DamagedOpenFile, WhatNoFileCanBe_IsRefused) {
  OpenFileState idle_with_a_blob = raw_file();
  idle_with_a_blob.transfer.state = TransferState::idle;
  OpenFileState given_with_an_offset = raw_file();
  given_with_an_offset.transfer.state = TransferState::setting;
  OpenFileState too_large = raw_file();
  too_large.transfer.blob = Bytes(BlobTransfer::kLargestBlob + 1);
  OpenFileState read_to_the_end = raw_file();
  read_to_the_end.response = ResponseBuffer(2, {});
  OpenFileState control_with_a_response = raw_file();
  control_with_a_response.opening.node = NodeKind::control;

  EXPECT_EQ(refusal_of(written(idle_with_a_blob)), Errc::corrupt);
  EXPECT_EQ(refusal_of(written(given_with_an_offset)), Errc::corrupt);
  EXPECT_EQ(refusal_of(written(too_large)), Errc::corrupt);
  EXPECT_EQ(refusal_of(written(read_to_the_end)), Errc::corrupt);
  EXPECT_EQ(refusal_of(written(control_with_a_response), NodeKind::control), Errc::corrupt);
}

// Whatever is read is written the same again, so nothing of it was misunderstood.
TEST(DamagedOpenFile, AnyByteChanged_IsRefusedOrReadAsItStands) {
  Bytes whole = written(raw_file());
  for (size_t at = 0; at < whole.size(); ++at) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      Bytes changed = with(at, static_cast<uint8_t>(byte));
      auto read = read_open_file(changed, NodeKind::raw);
      EXPECT_EQ(read ? written(*read) : changed, changed) << at << ": " << byte;
    }
  }
}

// -- every node's open files --

class SavedFile : public Test {
 protected:
  void SetUp() override {
    must(wired.tpm.power_on());
    must(wired.tpm.startup(StartupType::clear));
  }

  static OpenFileState state_of(const OpenFile& file) {
    return dynamic_cast<const ControlledFile&>(file).state();
  }
  // What another process would have of it; the file itself is gone.
  std::shared_ptr<OpenFile> restored(Node& node, std::shared_ptr<OpenFile>& file) {
    WipedBytes saved = file->save();
    file.reset();
    return must(node.restore(saved.get()));
  }
  void begin_get(OpenFile& file) {
    vtpm_get_state in{.req = {.state_flags = 0, .type = VTPM_BLOB_TYPE_PERMANENT, .offset = 0}};
    transport.ioctl(file, VTPM_GET_STATEBLOB, std::as_bytes(std::span(&in, 1)), sizeof(in));
  }
  void remember(size_t size) {
    wired.tpm.execute(tpm2_command(FakeEngine::kRemember, Bytes(size, std::byte{7})));
  }

  const Opener opener{1000, 100, getpid(), true};
  const Opener root{0, 0, getpid(), true};
  MemoryStore store;
  FakeEngine engine{store};
  WiredTpm wired{engine, store};
  RecordingTransport transport;
};

TEST_F(SavedFile, OfTheRawNode_SaysWhatItIs) {
  auto file = transport.open(wired.node, opener);
  transport.write(*file, get_random(4));
  transport.read(*file, 10);
  wired.clock.advance(std::chrono::seconds(100));

  OpenFileState state = state_of(*file);

  EXPECT_EQ(state.opening.node, NodeKind::raw);
  EXPECT_TRUE(state.opening.may_write);
  EXPECT_EQ(state.opening.privilege, Privilege::raw_user);
  EXPECT_EQ(state.opening.peer, (Peer{getpid(), 1000, 100, opener.process().name}));
  EXPECT_EQ(state.response, ResponseBuffer(10, hex("0004 01020304")));
  EXPECT_EQ(state.response_left, std::chrono::seconds(20));
}

TEST_F(SavedFile, OfTheRawNode_IsTheSameAgain) {
  auto file = transport.open(wired.node, opener);
  transport.write(*file, get_random(4));
  transport.read(*file, 10);
  OpenFileState before = state_of(*file);

  auto again = restored(wired.node, file);

  EXPECT_EQ(state_of(*again), before);
  EXPECT_EQ(transport.read(*again).bytes, hex("0004 01020304"));
}

TEST_F(SavedFile, OfTheRawNode_HoldsTheNodeForItsOpener) {
  auto file = transport.open(wired.node, opener);

  auto again = restored(wired.node, file);

  EXPECT_EQ(wired.node.opener().process, getpid());
  transport.open(wired.node, root);
  EXPECT_EQ(transport.answer().error, EBUSY);
  EXPECT_EQ(transport.release(*again).error, 0);
  EXPECT_NE(transport.open(wired.node, root), nullptr);
}

TEST_F(SavedFile, OfTheRawNodeWhileAnotherHasIt_IsBusy) {
  auto file = transport.open(wired.node, opener);

  EXPECT_EQ(wired.node.restore(file->save().get()).error().code, Errc::busy);
}

TEST_F(SavedFile, ResponseThatNobodyReads_IsDiscardedWhenItsTimeIsOver) {
  auto file = transport.open(wired.node, opener);
  transport.write(*file, get_random(4));
  wired.clock.advance(std::chrono::seconds(100));

  auto again = restored(wired.node, file);
  wired.clock.advance(std::chrono::seconds(20));

  EXPECT_TRUE(transport.read(*again).bytes.empty());
}

TEST_F(SavedFile, OfTheControlNode_IsTheSameAgainInTheMiddleOfABlob) {
  remember(5000);
  auto file = transport.open(wired.control_node, root);
  begin_get(*file);
  OpenFileState before = state_of(*file);

  auto again = restored(wired.control_node, file);

  EXPECT_EQ(before.opening.privilege, Privilege::control);
  EXPECT_EQ(before.transfer.offset, size_t{VTPM_STATE_BLOB_SIZE});
  EXPECT_EQ(state_of(*again), before);
  EXPECT_EQ(transport.read(*again).bytes.size(),
            before.transfer.blob.size() - VTPM_STATE_BLOB_SIZE);
}

TEST_F(SavedFile, OfAnotherNode_IsRefused) {
  auto file = transport.open(wired.node, opener);

  EXPECT_EQ(wired.control_node.restore(file->save().get()).error().code, Errc::corrupt);
}

TEST(WrittenOpenFile, GrownOverASecret_LeavesNoneInTheSmallerMemory) {
  OpenFileState state = raw_file();
  state.response = ResponseBuffer(0, Bytes(500, std::byte{7}));
  state.transfer.blob = Bytes(5000, std::byte{8});
  size_t without_the_blob = written(state).size() - 5000;
  WipedMemory wiped;

  WipedBytes bytes = write_open_file(state);

  EXPECT_THAT(wiped.ranges(),
              testing::Contains(testing::Field(&WipedMemory::Range::size, without_the_blob)));
}

}  // namespace
}  // namespace vtpm
