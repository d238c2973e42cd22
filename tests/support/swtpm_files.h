// swtpm's blobs as tests make them and take them apart, and files that the real swtpm wrote
// (tests/unit/data/swtpm).
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "engine/keys/crypto.h"
#include "engine/keys/swtpm_key.h"
#include "tests/support/hex.h"
#include "tests/support/source_tree.h"

namespace vtpm {

// A header that fits, and what follows it: elements, or version 1's bytes.
inline Bytes swtpm_blob(uint8_t version, uint16_t flags, ByteView content) {
  return BigEndianWriter()
      .u8(version)
      .u8(1)
      .u16(10)
      .u16(flags)
      .u32(static_cast<uint32_t>(10 + content.size()))
      .bytes(content)
      .take();
}

inline Bytes swtpm_element(uint16_t name, ByteView data) {
  return BigEndianWriter().u16(name).u32(static_cast<uint32_t>(data.size())).bytes(data).take();
}

// A file's elements around a text that is there already, under a code that is right.
inline Bytes file_key_elements(ByteView key, ByteView text, ByteView iv) {
  Bytes covered = BigEndianWriter().bytes(text).bytes(iv).take();
  return BigEndianWriter()
      .bytes(swtpm_element(2, text))
      .bytes(swtpm_element(3, hmac_sha256(key, covered).value()))
      .bytes(swtpm_element(6, iv))
      .take();
}

// Version 1's encryption: {SHA-256, data}, with a vector of zeroes, padded to the key's length.
inline Bytes version1_text(ByteView key, ByteView digest, ByteView data) {
  size_t count = key.size() - (digest.size() + data.size()) % key.size();
  Bytes plain = BigEndianWriter()
                    .bytes(digest)
                    .bytes(data)
                    .bytes(Bytes(count, static_cast<std::byte>(count)))
                    .take();
  return aes_cbc_encrypt(key, Bytes(16), plain).value();
}

// The data of the element of that tag in a blob that is whole.
inline ByteView element_in(ByteView blob, uint16_t wanted) {
  BigEndianReader reader(blob.subspan(10));
  uint16_t name = 0;
  ByteView data;
  while (name != wanted && reader.ok()) {
    name = reader.u16();
    data = reader.bytes(reader.u32());
  }
  return data;
}

inline std::string fixture_path(const std::string& name) {
  return source_file("tests/unit/data/swtpm/" + name);
}

inline Bytes fixture(const std::string& name) {
  std::ifstream file(fixture_path(name), std::ios::binary);
  EXPECT_TRUE(file.is_open()) << fixture_path(name);
  return to_bytes(std::string(std::istreambuf_iterator<char>(file), {}));
}

// The key that the fixtures of that form were made with; empty for the plain ones.
inline SwtpmKey fixture_key(const std::string& form) {
  const std::map<std::string, std::string> sources = {
      {"hex128", "file=" + fixture_path("hex128.key")},
      {"binary256", "file=" + fixture_path("binary256.key") + ",format=binary,mode=aes-256-cbc"},
      {"pbkdf2_128", "pwdfile=" + fixture_path("passphrase")},
      {"pbkdf2_256", "pwdfile=" + fixture_path("passphrase") + ",mode=aes-256-cbc"},
      {"sha512_256", "pwdfile=" + fixture_path("passphrase") + ",kdf=sha512,mode=aes-256-cbc"}};
  return form == "plain" ? SwtpmKey() : read_swtpm_key(sources.at(form)).value();
}

}  // namespace vtpm
