// Any bytes as swtpm's files and state blobs: they are refused or understood, nothing outside of
// them is looked at, and what is made of any bytes is understood again. The first byte of an input
// says what the rest is taken for.
#include <gtest/gtest.h>

#include "engine/state/swtpm/linear_file.h"
#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/support/swtpm_files.h"

namespace vtpm {
namespace {

const SwtpmKey kKey128 = fixture_key("hex128");
const SwtpmKey kKey256 = fixture_key("binary256");

template <auto wrap, auto unwrap, class... Keys>
void both_ways(ByteView input, Keys... keys) {
  static_cast<void>(unwrap(input, keys...));
  EXPECT_EQ(unwrap(wrap(input, keys...).value(), keys...).value(), to_bytes(input));
}
constexpr auto file_blob = both_ways<wrap_swtpm_blob, unwrap_swtpm_blob, const SwtpmKey*>;
constexpr auto migration_blob =
    both_ways<wrap_migration_blob, unwrap_migration_blob, const SwtpmKey*, const SwtpmKey*>;

// A text that no fuzzer would find the authentication code of.
void authenticated_text(ByteView input) {
  Bytes elements = file_key_elements(kKey128.view(), input, Bytes(16));
  static_cast<void>(unwrap_swtpm_blob(swtpm_blob(2, 0x01, elements), &kKey128));
}

void linear_file(ByteView input) {
  for (BlobKind kind : {BlobKind::permanent, BlobKind::volatile_state, BlobKind::savestate}) {
    file_blob(read_linear_file(input, kind).value_or(ByteView()), nullptr);  // looks at every byte
    Bytes built = build_linear_file({{kind, to_bytes(input)}});
    EXPECT_EQ(to_bytes(read_linear_file(built, kind).value()), to_bytes(input));
  }
}

constexpr std::array<void (*)(ByteView), 9> kTakenFor = {
    [](ByteView input) { file_blob(input, nullptr); },
    [](ByteView input) { file_blob(input, &kKey128); },
    [](ByteView input) { file_blob(input, &kKey256); },
    [](ByteView input) { migration_blob(input, nullptr, nullptr); },
    [](ByteView input) { migration_blob(input, &kKey128, nullptr); },
    [](ByteView input) { migration_blob(input, nullptr, &kKey256); },
    [](ByteView input) { migration_blob(input, &kKey256, &kKey128); },
    authenticated_text,
    linear_file};

}  // namespace
}  // namespace vtpm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  GTEST_FLAG_SET(throw_on_failure, true);  // what fails ends the process
  if (size > 0) {
    auto input = std::as_bytes(std::span(data, size)).subspan(1);
    vtpm::kTakenFor.at(data[0] % vtpm::kTakenFor.size())(input);
  }
  return 0;
}
