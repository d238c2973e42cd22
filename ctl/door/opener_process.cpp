#include "ctl/door/opener_process.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

#include "engine/base/file_descriptor.h"

namespace vtpm {
namespace {

// The beginning of a small file; empty when it cannot be read.
std::string beginning_of(const std::string& path) {
  constexpr size_t kMost = 1024;
  std::array<char, kMost> text{};
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));  // NOLINT
  ssize_t length = file ? ::read(file.get(), text.data(), text.size()) : -1;
  return length > 0 ? std::string(text.data(), static_cast<size_t>(length)) : std::string();
}

}  // namespace

OpenerProcess process_of_thread(pid_t thread, const std::string& proc) {
  constexpr std::string_view kLabel = "\nTgid:\t";
  OpenerProcess process{thread, {}};
  std::string status = beginning_of(proc + "/" + std::to_string(thread) + "/status");
  if (size_t label = status.find(kLabel); label != std::string::npos) {
    const char* digits = status.data() + label + kLabel.size();
    std::from_chars(digits, status.data() + status.size(), process.number);
  }
  process.name = beginning_of(proc + "/" + std::to_string(process.number) + "/comm");
  if (process.name.ends_with('\n')) {
    process.name.pop_back();
  }
  return process;
}

}  // namespace vtpm
