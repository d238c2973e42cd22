#include "engine/keys/key_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <set>
#include <sstream>

#include "engine/base/file_descriptor.h"
#include "engine/base/inherited.h"

namespace vtpm {
namespace {

constexpr size_t kLargestInput = 4096;  // a key or a passphrase

using Words = std::map<std::string, std::string>;

tl::unexpected<Error> bad_word(const std::string& word, const std::string& why) {
  return failure(Errc::invalid, "key: '" + word + "' " + why);
}

Result<Words> split(const std::string& source, std::span<const std::string_view> further) {
  std::set<std::string, std::less<>> names = {
      "file", "fd", "credential", "pwdfile", "pwdfd", "pwdcredential", "format", "remove"};
  std::string list;
  for (std::string_view name : further) {
    names.emplace(name);
    list += std::string(name) + "=, ";
  }
  Words words;
  std::istringstream stream(source);
  for (std::string word; std::getline(stream, word, ',');) {
    size_t equals = word.find('=');
    std::string name = word.substr(0, equals);
    if (!names.contains(name)) {
      return bad_word(name,
                      "is not known; say file=, fd=, credential=, pwdfile=, pwdfd= or "
                      "pwdcredential=, and " +
                          list + "format= or remove");
    }
    words[name] = equals == std::string::npos ? "true" : word.substr(equals + 1);
  }
  return words;
}

std::string value_or(const Words& words, const std::string& name, const std::string& otherwise) {
  auto found = words.find(name);
  return found == words.end() ? otherwise : found->second;
}

std::optional<int> number_of(const std::string& text) {
  int number = -1;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  bool whole = error == std::errc() && end == text.data() + text.size() && number >= 0;
  return whole ? std::optional(number) : std::nullopt;
}

// A credential of systemd's is a file in a directory that only this service sees.
Result<void> resolve_credential(Words& words, const std::string& name, const std::string& as) {
  auto found = words.find(name);
  if (found == words.end()) {
    return {};
  }
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");  // NOLINT: no thread yet
  if (directory == nullptr) {
    return failure(Errc::not_found, "key: this service was given no credentials; LoadCredential=" +
                                        found->second + ":PATH in its unit gives this one");
  }
  if (found->second.empty() || found->second.find('/') != std::string::npos) {
    return bad_word(found->second, "is no credential's name");
  }
  words[as] = std::string(directory) + "/" + found->second;
  return {};
}

// Somebody else's from now on; but a standard descriptor stays open, or the next file would take
// its place.
Result<FileDescriptor> take(int number) {
  if (fcntl(number, F_GETFD) < 0) {
    return failure(Errc::invalid, "key: descriptor " + std::to_string(number) + " is not open");
  }
  if (number > STDERR_FILENO) {
    return FileDescriptor(number);
  }
  FileDescriptor copy(fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  return copy ? Result<FileDescriptor>(std::move(copy))
              : system_failure("cannot read the key", errno);
}

// The descriptor of the one source that is named.
Result<FileDescriptor> open_source(const Words& words) {
  std::optional<std::string> path;
  for (const char* name : {"file", "pwdfile"}) {
    if (words.contains(name)) {
      path = words.at(name);
    }
  }
  auto inherited = path ? descriptor_of_path(*path) : std::nullopt;
  if (inherited) {
    return take(*inherited);  // opened again by its name, the secret would stay open as well
  }
  if (path) {
    FileDescriptor fd(::open(path->c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));  // NOLINT
    if (!fd) {
      return system_failure("cannot open the key file " + *path, errno);
    }
    return fd;
  }
  std::string text = value_or(words, "fd", value_or(words, "pwdfd", ""));
  return take(number_of(text).value_or(-1));
}

Result<Secret> read_input(int fd) {
  Secret buffer(kLargestInput + 1);
  size_t size = 0;
  while (size < buffer.size()) {
    ssize_t got = read(fd, buffer.writable().subspan(size).data(), buffer.size() - size);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return system_failure("cannot read the key", errno);
    }
    if (got == 0) {
      return Secret(buffer.view().first(size));
    }
    size += static_cast<size_t>(got);
  }
  return failure(Errc::invalid, "key: more than 4096 bytes");
}

int hex_digit(char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  auto lower = static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
  size_t found = kDigits.find(lower);
  return found == std::string_view::npos ? -1 : static_cast<int>(found);
}

Result<Secret> from_hex(ByteView input, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());  // NOLINT
  // The zero byte is swtpm's: a C program that writes a string writes its end too.
  constexpr std::string_view kBehind(" \t\r\n\0", 5);
  text = text.substr(0, text.find_last_not_of(kBehind) + 1);
  if (text.starts_with("0x")) {
    text.remove_prefix(2);
  }
  if (text.size() != 2 * size) {
    return failure(Errc::invalid, "key: " + std::to_string(text.size()) +
                                      " hexadecimal digits where this key has " +
                                      std::to_string(2 * size));
  }
  Secret key(size);
  for (size_t i = 0; i < size; ++i) {
    int high = hex_digit(text[2 * i]);
    int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      return failure(Errc::invalid, "key: a character that is no hexadecimal digit");
    }
    key.writable()[i] = static_cast<std::byte>(high * 16 + low);
  }
  return key;
}

}  // namespace

std::string KeySource::word_or(const std::string& name, const std::string& otherwise) const {
  return value_or(words, name, otherwise);
}

Result<Words> key_words(const std::string& source, std::span<const std::string_view> further) {
  auto words = split(source, further);
  if (!words) {
    return words;
  }
  size_t sources = 0;
  for (const char* name : {"file", "fd", "credential", "pwdfile", "pwdfd", "pwdcredential"}) {
    sources += words->count(name);
  }
  if (sources != 1) {
    return failure(Errc::invalid,
                   "key: name one of file=, fd=, credential=, pwdfile=, pwdfd= and pwdcredential=");
  }
  for (const char* name : {"fd", "pwdfd"}) {
    if (words->contains(name) && !number_of(words->at(name))) {
      return bad_word(words->at(name), "is no descriptor number");
    }
  }
  std::string format = value_or(*words, "format", "hex");
  if (format != "hex" && format != "binary") {
    return bad_word(format, "is no format; say hex or binary");
  }
  return words;
}

Result<KeySource> read_key_source(const std::string& source,
                                  std::span<const std::string_view> further) {
  auto words = key_words(source, further);
  if (!words) {
    return tl::unexpected(words.error());
  }
  auto resolved = resolve_credential(*words, "credential", "file").and_then([&] {
    return resolve_credential(*words, "pwdcredential", "pwdfile");
  });
  if (!resolved) {
    return tl::unexpected(resolved.error());
  }
  auto fd = open_source(*words);
  if (!fd) {
    return tl::unexpected(fd.error());
  }
  auto input = read_input(fd->get());
  if (!input) {
    return tl::unexpected(input.error());
  }
  bool passphrase = words->contains("pwdfile") || words->contains("pwdfd");
  return KeySource{std::move(*words), passphrase, std::move(*input)};
}

Result<Secret> key_of(const KeySource& source, size_t size) {
  std::string format = source.word_or("format", "hex");
  if (format == "hex") {
    return from_hex(source.input.view(), size);
  }
  if (source.input.size() != size) {
    return failure(Errc::invalid, "key: " + std::to_string(source.input.size()) +
                                      " bytes where this key has " + std::to_string(size));
  }
  return Secret(source.input.view());
}

Result<void> remove_if_asked(const KeySource& source) {
  std::string remove = source.word_or("remove", "false");
  if (remove != "true" && remove != "1") {
    return {};
  }
  std::string path = source.word_or("file", source.word_or("pwdfile", ""));
  if (!path.empty() && unlink(path.c_str()) != 0) {
    return system_failure("cannot remove the key file " + path, errno);
  }
  return {};
}

}  // namespace vtpm
