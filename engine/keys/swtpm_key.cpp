#include "engine/keys/swtpm_key.h"

#include <array>

#include "engine/keys/crypto.h"
#include "engine/keys/key_source.h"

namespace vtpm {
namespace {

constexpr int kPbkdf2Iterations = 1000;  // swtpm's, and its salt
constexpr std::string_view kPbkdf2Salt = "swtpm";
constexpr std::array<std::string_view, 2> kWords = {"mode", "kdf"};

tl::unexpected<Error> bad_word(const std::string& word, const std::string& why) {
  return failure(Errc::invalid, "key: '" + word + "' " + why);
}

Result<size_t> key_size(const KeySource& source) {
  std::string mode = source.word_or("mode", "aes-cbc");
  if (mode == "aes-cbc" || mode == "aes-128-cbc") {
    return size_t{16};
  }
  if (mode == "aes-256-cbc") {
    return size_t{32};
  }
  return bad_word(mode, "is no mode; say aes-128-cbc or aes-256-cbc");
}

Result<bool> is_sha512_alone(const KeySource& source) {
  std::string kdf = source.word_or("kdf", "pbkdf2");
  if (kdf != "pbkdf2" && kdf != "sha512") {
    return bad_word(kdf, "is no key derivation; say pbkdf2 or sha512");
  }
  return kdf == "sha512";
}

Result<Secret> from_passphrase(const KeySource& source, size_t size) {
  auto sha512_alone = is_sha512_alone(source);
  if (!sha512_alone) {
    return tl::unexpected(sha512_alone.error());
  }
  if (!*sha512_alone) {
    return pbkdf2_sha512(source.input.view(), as_bytes(kPbkdf2Salt), kPbkdf2Iterations, size);
  }
  auto digest = sha512(source.input.view());
  if (!digest) {
    return digest;
  }
  return Secret(digest->view().first(size));
}

}  // namespace

Result<void> check_swtpm_key_words(const std::string& source) {
  auto words = key_words(source, kWords);
  if (!words) {
    return tl::unexpected(words.error());
  }
  KeySource unread{std::move(*words), false, Secret()};
  return key_size(unread).and_then([&](size_t) { return is_sha512_alone(unread); }).map([](bool) {
  });
}

Result<SwtpmKey> read_swtpm_key(const std::string& source) {
  auto read = read_key_source(source, kWords);
  if (!read) {
    return tl::unexpected(read.error());
  }
  auto size = key_size(*read);
  if (!size) {
    return tl::unexpected(size.error());
  }
  auto key = read->passphrase ? from_passphrase(*read, *size) : key_of(*read, *size);
  auto removed = key ? remove_if_asked(*read) : Result<void>();
  return removed ? std::move(key) : tl::unexpected(removed.error());
}

}  // namespace vtpm
