#include "engine/command/command.h"

#include <gtest/gtest.h>

#include "engine/command/marshal.h"
#include "tests/support/hex.h"

namespace vtpm {
namespace {

TEST(Command, OfTenBytes_HasTheirTagSizeAndCode) {
  Bytes bytes = hex("8001 0000000c 00000144");
  Command command(bytes);

  EXPECT_TRUE(command.has_header());
  EXPECT_EQ(command.tag(), 0x8001);
  EXPECT_EQ(command.declared_size(), 12u);
  EXPECT_EQ(command.code(), cc::startup);
}

TEST(Command, OfNineBytes_HasNoHeaderAndNoCode) {
  Bytes bytes = hex("8001 0000000c 000001");
  Command command(bytes);

  EXPECT_FALSE(command.has_header());
  EXPECT_EQ(command.declared_size(), 12u);
  EXPECT_EQ(command.code(), CommandCode{0});
}

TEST(Command, OfNoBytes_DeclaresNothing) {
  Command command(ByteView{});

  EXPECT_FALSE(command.has_header());
  EXPECT_EQ(command.declared_size(), 0u);
}

TEST(Marshal, WithoutSessions_HasTheSizeOfTheWhole) {
  EXPECT_EQ(tpm2_command(cc::get_random, hex("0008")), hex("8001 0000000c 0000017b 0008"));
  EXPECT_EQ(tpm12_command(ordinal::get_random, hex("00000008")),
            hex("00c1 0000000e 00000046 00000008"));
}

TEST(Marshal, WithAPassword_HasTheSessionBetweenHandlesAndParameters) {
  EXPECT_EQ(tpm2_command_with_password(cc::clear, hex("4000000c"), hex("ee"), as_bytes("ab")),
            hex("8002 0000001e 00000126 4000000c 0000000b 40000009 0000 00 0002 6162 ee"));
}

TEST(Marshal, Response_HasTheTagOfItsVersion) {
  EXPECT_EQ(tpm2_response(rc::success, hex("00")), hex("8001 0000000b 00000000 00"));
  EXPECT_EQ(tpm12_response(rc::tpm12_fail), hex("00c4 0000000a 00000009"));
}

}  // namespace
}  // namespace vtpm
