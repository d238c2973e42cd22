#include "ctl/config/instance.h"

#include <algorithm>
#include <cctype>

namespace vtpm {
namespace {

constexpr size_t kLongestName = 64;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool may_stand_in_name(char c) {
  return is_alphanumeric(c) || c == '-' || c == '.' || c == '_';
}

bool is_device_name(std::string_view name) {
  for (std::string_view prefix : {"vtpmctl", "vtpmrm", "vtpm"}) {
    if (name.starts_with(prefix)) {
      std::string_view rest = name.substr(prefix.size());
      return std::all_of(rest.begin(), rest.end(), [](char c) { return c >= '0' && c <= '9'; });
    }
  }
  return false;
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

Result<void> check_instance_name(std::string_view name) {
  std::string quoted = "'" + std::string(name) + "' is no name for a virtual TPM: ";
  if (name.empty() || name.size() > kLongestName || !is_alphanumeric(name.front()) ||
      !std::all_of(name.begin(), name.end(), may_stand_in_name)) {
    return failure(Errc::invalid, quoted +
                                      "say up to 64 letters, digits, '-', '.' or '_', beginning "
                                      "with a letter or digit");
  }
  if (is_device_name(name)) {
    return failure(Errc::invalid, quoted + "devices are called so");
  }
  if (name.ends_with("-ctl") || name.ends_with("-rm")) {
    return failure(Errc::invalid, quoted + "links to nodes end in -ctl and -rm");
  }
  return {};
}

std::string encode_instance_name(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string encoded;
  for (char c : name) {
    auto byte = static_cast<unsigned char>(c);
    encoded += kDigits[byte >> 4];
    encoded += kDigits[byte & 0xf];
  }
  return encoded;
}

Result<std::string> decode_instance_name(std::string_view encoded) {
  std::string name;
  for (size_t i = 0; i + 1 < encoded.size(); i += 2) {
    int high = digit_value(encoded[i]);
    int low = digit_value(encoded[i + 1]);
    if (high < 0 || low < 0) {
      return failure(Errc::invalid, "'" + std::string(encoded) + "' is no encoded name");
    }
    name += static_cast<char>(high << 4 | low);
  }
  if (encoded.size() % 2 != 0) {
    return failure(Errc::invalid, "'" + std::string(encoded) + "' is no encoded name");
  }
  if (auto valid = check_instance_name(name); !valid) {
    return tl::unexpected(valid.error());
  }
  return name;
}

}  // namespace vtpm
