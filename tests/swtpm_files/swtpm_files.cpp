// For tests/guest/swtpm_files.sh: permanent state out of swtpm's files, and into such files.
//
//   swtpm_files read dir|linear KEY FILE     writes the state to stdout
//   swtpm_files write dir|linear KEY FILE    reads the state from stdin
//
// KEY is a source (engine/keys/swtpm_key.h), or nothing for none.
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "engine/state/swtpm/linear_file.h"
#include "engine/state/swtpm/swtpm_blob.h"

namespace vtpm {
namespace {

Bytes read_all(std::istream& stream) {
  std::string content(std::istreambuf_iterator<char>(stream), {});
  ByteView view = as_bytes(content);
  return {view.begin(), view.end()};
}

bool write_all(std::ostream& stream, ByteView bytes) {
  stream.write(reinterpret_cast<const char*>(bytes.data()),  // NOLINT
               static_cast<std::streamsize>(bytes.size()));
  return static_cast<bool>(stream.flush());
}

Result<Bytes> read_state(bool linear, const SwtpmKey* key, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Bytes content = read_all(file);
  auto blob = linear ? read_linear_file(content, BlobKind::permanent) : ByteView(content);
  return blob ? unwrap_swtpm_blob(*blob, key) : tl::unexpected(blob.error());
}

Result<Bytes> file_of(bool linear, const SwtpmKey* key, ByteView state) {
  auto blob = wrap_swtpm_blob(state, key);
  return blob && linear ? build_linear_file({{BlobKind::permanent, *blob}}) : blob;
}

int run(const std::vector<std::string>& arguments) {
  bool linear = arguments.at(2) == "linear";
  auto key = arguments.at(3).empty() ? Result<SwtpmKey>() : read_swtpm_key(arguments.at(3));
  if (!key) {
    std::cerr << key.error().message << "\n";
    return 1;
  }
  const SwtpmKey* given = key->empty() ? nullptr : &*key;
  bool reading = arguments.at(1) == "read";
  auto result = reading ? read_state(linear, given, arguments.at(4))
                        : file_of(linear, given, read_all(std::cin));
  if (!result) {
    std::cerr << result.error().message << "\n";
    return 1;
  }
  std::ofstream file;
  if (!reading) {
    file.open(arguments.at(4), std::ios::binary);
  }
  return write_all(reading ? std::cout : file, *result) ? 0 : 1;
}

}  // namespace
}  // namespace vtpm

int main(int argc, char** argv) {
  std::span words(argv, static_cast<size_t>(argc));
  return vtpm::run({words.begin(), words.end()});
}
