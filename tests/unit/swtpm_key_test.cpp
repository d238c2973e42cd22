#include "engine/keys/swtpm_key.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/base/file_descriptor.h"
#include "engine/keys/sealing.h"
#include "tests/support/hex.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::HasSubstr;

const char* const kHex128 = "000102030405060708090a0b0c0d0e0f";
const char* const kHex256 = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";

class SwtpmKeyTest : public testing::Test {
 protected:
  std::string file(std::string_view content) {
    std::ofstream(path_, std::ios::binary) << content;
    return path_;
  }
  static Bytes key(const std::string& source) {
    auto read = read_swtpm_key(source);
    EXPECT_TRUE(read.has_value()) << read.error().message;
    return to_bytes(read.value().view());
  }
  static Error refusal(const std::string& source) {
    auto read = read_swtpm_key(source);
    EXPECT_FALSE(read.has_value());
    return read.error();
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/key";
};

// -- keys as they are --

TEST_F(SwtpmKeyTest, Hex_IsTheDefault) {
  EXPECT_EQ(key("file=" + file(kHex128)), hex(kHex128));
}

TEST_F(SwtpmKeyTest, HexWithPrefixCapitalsAndNewline_IsTaken) {
  EXPECT_EQ(key("mode=aes-256-cbc,file=" + file(std::string("0x") + kHex256 + " \r\n")),
            hex(kHex256));
}

TEST_F(SwtpmKeyTest, HexWithTheEndOfAString_IsTaken) {
  EXPECT_EQ(key("file=" + file(kHex128 + std::string("\n\0", 2))), hex(kHex128));
}

TEST_F(SwtpmKeyTest, Mode_NamesTheLength) {
  EXPECT_EQ(key("mode=aes-cbc,file=" + file(kHex128)).size(), 16u);
  EXPECT_EQ(key("mode=aes-128-cbc,file=" + file(kHex128)).size(), 16u);
  EXPECT_EQ(key("mode=aes-256-cbc,file=" + file(kHex256)).size(), 32u);
}

TEST_F(SwtpmKeyTest, HexOfTheOtherLength_IsRefusedWithBothNumbers) {
  Error error = refusal("file=" + file(kHex256));

  EXPECT_EQ(error.code, Errc::invalid);
  EXPECT_THAT(error.message, HasSubstr("64"));
  EXPECT_THAT(error.message, HasSubstr("32"));
  EXPECT_THAT(error.message, testing::Not(HasSubstr("0001"))) << "no part of a key";
}

TEST_F(SwtpmKeyTest, CharacterThatIsNoDigit_IsRefused) {
  EXPECT_THAT(refusal("file=" + file("g00102030405060708090a0b0c0d0e0f")).message,
              HasSubstr("no hexadecimal digit"));
}

TEST_F(SwtpmKeyTest, Binary_IsTheFileItself) {
  std::string bytes("\0\x01\x02\n ghijklmnopq", 16);

  EXPECT_EQ(key("format=binary,file=" + file(bytes)), to_bytes(bytes));
}

TEST_F(SwtpmKeyTest, BinaryOfAnotherLength_IsRefused) {
  EXPECT_EQ(refusal("format=binary,file=" + file("fifteen bytes..")).code, Errc::invalid);
  EXPECT_EQ(refusal("format=binary,file=" + file("seventeen bytes..")).code, Errc::invalid);
}

// -- passphrases: the whole file, with its newline --

TEST_F(SwtpmKeyTest, Passphrase_IsDerivedByPbkdf2) {
  EXPECT_EQ(key("pwdfile=" + file("passphrase\n")), hex("8abdbb0c72ed14fb8e0284db094f31ce"));
  EXPECT_EQ(key("kdf=pbkdf2,mode=aes-256-cbc,pwdfile=" + path_),
            hex("8abdbb0c72ed14fb8e0284db094f31ce95281eeaa97620b0a292169b201c7d69"));
}

TEST_F(SwtpmKeyTest, PassphraseBySha512_IsTheFirstBytesOfTheDigest) {
  EXPECT_EQ(key("kdf=sha512,pwdfile=" + file("passphrase\n")),
            hex("87e1534bd855b32c243fa064e5b9284f"));
  EXPECT_EQ(key("kdf=sha512,mode=aes-256-cbc,pwdfile=" + path_),
            hex("87e1534bd855b32c243fa064e5b9284ff8e914030689c8150ca8d3bd1dcc5c7e"));
}

TEST_F(SwtpmKeyTest, Newline_IsPartOfThePassphrase) {
  EXPECT_NE(key("pwdfile=" + file("passphrase")), hex("8abdbb0c72ed14fb8e0284db094f31ce"));
}

// As swtpm has it; for a seal of our own it is refused.
TEST_F(SwtpmKeyTest, EmptyPassphrase_IsOne) {
  EXPECT_EQ(key("pwdfile=" + file("")), hex("c55dfd0c4fbdffdf11d67b7016497837"));
  EXPECT_EQ(key("kdf=sha512,pwdfile=" + path_), hex("cf83e1357eefb8bdf1542850d66d8007"));
}

TEST_F(SwtpmKeyTest, EmptyPassphraseForAStateFile_IsRefused) {
  EXPECT_THAT(read_sealing_key("pwdfile=" + file("")).error().message, HasSubstr("empty"));
}

// -- descriptors --

TEST_F(SwtpmKeyTest, InheritedDescriptor_IsReadAndClosed) {
  int fd = open(file(kHex128).c_str(), O_RDONLY | O_CLOEXEC);  // NOLINT

  EXPECT_EQ(key("fd=" + std::to_string(fd)), hex(kHex128));
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

TEST_F(SwtpmKeyTest, InheritedDescriptorByItsPath_IsReadAndClosed) {
  int fd = open(file(kHex128).c_str(), O_RDONLY | O_CLOEXEC);  // NOLINT

  EXPECT_EQ(key("file=/dev/fd/" + std::to_string(fd)), hex(kHex128));
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

TEST_F(SwtpmKeyTest, StandardInput_IsReadAndStaysOpen) {
  FileDescriptor before(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  FileDescriptor input(open(file(kHex128).c_str(), O_RDONLY | O_CLOEXEC));  // NOLINT
  dup2(input.get(), STDIN_FILENO);

  EXPECT_EQ(key("fd=0"), hex(kHex128));
  EXPECT_NE(fcntl(STDIN_FILENO, F_GETFD), -1);
  dup2(before.get(), STDIN_FILENO);
}

TEST_F(SwtpmKeyTest, InheritedDescriptorOfAPassphrase_IsReadFromAPipe) {
  int ends[2];  // NOLINT: C
  ASSERT_EQ(pipe(ends), 0);
  FileDescriptor writer(ends[1]);
  ASSERT_EQ(write(writer.get(), "passphrase\n", 11), 11);
  writer.reset();

  EXPECT_EQ(key("pwdfd=" + std::to_string(ends[0])), hex("8abdbb0c72ed14fb8e0284db094f31ce"));
}

TEST_F(SwtpmKeyTest, DescriptorThatIsNotOpenOrNoNumber_IsRefused) {
  EXPECT_THAT(refusal("fd=987").message, HasSubstr("987"));
  EXPECT_THAT(refusal("fd=stdin").message, HasSubstr("'stdin'"));
  EXPECT_THAT(refusal("fd=-1").message, HasSubstr("'-1'"));
  EXPECT_THAT(refusal("pwdfd=3x").message, HasSubstr("'3x'"));
}

// -- remove --

TEST_F(SwtpmKeyTest, Remove_UnlinksWhatWasRead) {
  key("remove,file=" + file(kHex128));
  EXPECT_FALSE(std::filesystem::exists(path_));

  key("remove=true,pwdfile=" + file("passphrase"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SwtpmKeyTest, RemoveFalse_KeepsTheFile) {
  key("remove=false,file=" + file(kHex128));

  EXPECT_TRUE(std::filesystem::exists(path_));
}

// -- what is wrong is named --

TEST_F(SwtpmKeyTest, FileThatIsNotThere_IsNotFoundAndNamed) {
  Error error = refusal("file=/nonexistent/key");

  EXPECT_EQ(error.code, Errc::not_found);
  EXPECT_THAT(error.message, HasSubstr("/nonexistent/key"));
}

TEST_F(SwtpmKeyTest, FileOfMoreThan4096Bytes_IsRefused) {
  EXPECT_THAT(refusal("pwdfile=" + file(std::string(4097, 'a'))).message, HasSubstr("4096"));
}

TEST_F(SwtpmKeyTest, LargestPassphrase_IsTaken) {
  EXPECT_EQ(key("pwdfile=" + file(std::string(4096, 'a'))).size(), 16u);
}

// -- credentials --

class CredentialTest : public SwtpmKeyTest {
 protected:
  CredentialTest() { setenv("CREDENTIALS_DIRECTORY", directory_.path().c_str(), 1); }  // NOLINT
  ~CredentialTest() override { unsetenv("CREDENTIALS_DIRECTORY"); }                    // NOLINT
};

TEST_F(CredentialTest, Key_IsTheFileOfThatName) {
  file(kHex128);
  EXPECT_EQ(key("credential=key"), hex(kHex128));
}

TEST_F(CredentialTest, Passphrase_IsTheFileOfThatName) {
  file("sesame");
  EXPECT_EQ(key("pwdcredential=key"), key("pwdfile=" + path_));
}

TEST_F(CredentialTest, NameThatIsAPath_IsRefused) {
  EXPECT_EQ(refusal("credential=../key").code, Errc::invalid);
}

TEST_F(CredentialTest, NoneOfThatName_IsNotFound) {
  EXPECT_EQ(refusal("credential=other").code, Errc::not_found);
}

TEST_F(SwtpmKeyTest, CredentialWhereThereAreNone_SaysHowToGiveIt) {
  EXPECT_THAT(refusal("credential=key").message, HasSubstr("LoadCredential=key:"));
}

TEST_F(SwtpmKeyTest, NoSource_IsRefused) {
  EXPECT_THAT(refusal("").message, HasSubstr("name one of file="));
  EXPECT_THAT(refusal("mode=aes-cbc").message, HasSubstr("name one of file="));
}

struct Wrong {
  const char* name;
  const char* source;
  const char* message;
};

class WrongSource : public SwtpmKeyTest, public testing::WithParamInterface<Wrong> {};

TEST_P(WrongSource, IsInvalidAndNamesTheWord) {
  file(kHex128);
  std::string source = GetParam().source;
  source.replace(source.find('@'), 1, path_);

  Error error = refusal(source);

  EXPECT_EQ(error.code, Errc::invalid);
  EXPECT_THAT(error.message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Sources, WrongSource,
    testing::Values(Wrong{"TwoSources", "file=@,pwdfile=/x", "name one of file="},
                    Wrong{"UnknownWord", "path=@", "'path'"},
                    Wrong{"UnknownMode", "file=@,mode=aes-512-cbc", "'aes-512-cbc'"},
                    Wrong{"UnknownFormat", "file=@,format=base64", "'base64'"},
                    Wrong{"UnknownKdf", "pwdfile=@,kdf=scrypt", "'scrypt'"}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace vtpm
