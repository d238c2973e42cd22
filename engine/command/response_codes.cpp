#include "engine/command/response_codes.h"

#include <vtpm/ioctl.h>

#include <array>
#include <cstdio>
#include <span>

#include "engine/command/response_code_tables.h"

namespace vtpm {
namespace {

// Bits of a TPM 2.0 response code.
constexpr uint32_t kFormatOne = 0x080;
constexpr uint32_t kVersion2 = 0x100;
constexpr uint32_t kVendor = 0x400;
constexpr uint32_t kWarning = 0x800;
constexpr uint32_t kIsParameter = 0x040;  // format one
constexpr uint32_t kIsSession = 0x800;    // format one, when it is no parameter
constexpr uint32_t kCodeBits = 0xfff;
constexpr uint32_t kTpm12Vendor = 0x400;

// The kernel's resource manager marks codes of its own with this layer.
constexpr uint32_t kLayerShift = 16;
constexpr uint32_t kResourceManagerLayer = 11;

CodeInWords unknown(uint32_t number, std::string meaning) {
  return {number, "code " + hex_number(number), std::move(meaning)};
}

CodeInWords from_table(std::span<const CodeRow> table, uint32_t base, uint32_t number,
                       const char* kind) {
  if (const CodeRow* row = find_code(table, base)) {
    return {number, std::string(row->name), std::string(row->meaning)};
  }
  return unknown(number, std::string("not defined: ") + kind);
}

// Which of the command's parameters, handles or sessions a format-one code is about; empty when it
// does not say.
std::string culprit(uint32_t code) {
  if ((code & kIsParameter) != 0) {
    uint32_t index = code >> 8 & 0xf;
    return index == 0 ? "" : "parameter " + std::to_string(index);
  }
  uint32_t index = code >> 8 & 0x7;
  if (index == 0) {
    return "";
  }
  return ((code & kIsSession) != 0 ? "session " : "handle ") + std::to_string(index);
}

CodeInWords format_one(uint32_t code) {
  CodeInWords words =
      from_table(tpm20_format_one_codes(), code & 0x3f, code, "a format-one error of TPM 2.0");
  if (std::string about = culprit(code); !about.empty()) {
    words.meaning += ", in " + about;
  }
  return words;
}

CodeInWords tpm12_code(uint32_t code) {
  if ((code & kTpm12Vendor) != 0 && code < 0x800) {
    return unknown(code, "an error of the TPM's vendor");
  }
  return from_table(tpm12_codes(), code, code, "an error of TPM 1.2");
}

CodeInWords tpm20_code(uint32_t code) {
  if (code == 0) {
    return {0, "TPM_RC_SUCCESS", "done"};
  }
  if (code >> kLayerShift == kResourceManagerLayer) {
    CodeInWords words = tpm20_code(code & 0xffff);
    return {code, words.name, words.meaning + ", says the resource manager"};
  }
  if (code > kCodeBits) {
    return unknown(code, "not a TPM's code: bits beyond the twelfth are set");
  }
  if ((code & kFormatOne) != 0) {
    return format_one(code);
  }
  if ((code & kVersion2) == 0) {
    return code == 0x1e ? CodeInWords{code, "TPM_RC_BAD_TAG", "the command's tag is not valid"}
                        : tpm12_code(code);
  }
  if ((code & kVendor) != 0) {
    return unknown(code, (code & kWarning) != 0 ? "a warning of the TPM's vendor"
                                                : "an error of the TPM's vendor");
  }
  if ((code & kWarning) != 0) {
    return from_table(tpm20_warning_codes(), code & 0x7f, code, "a warning of TPM 2.0");
  }
  return from_table(tpm20_error_codes(), code & 0x7f, code, "an error of TPM 2.0");
}

struct ResultRow {
  uint32_t number;
  const char* name;
  const char* meaning;
};

constexpr auto kResults = std::to_array<ResultRow>({
    {VTPM_RESULT_SUCCESS, "TPM_SUCCESS", "done"},
    {VTPM_RESULT_BAD_PARAMETER, "TPM_BAD_PARAMETER", "a value in the request makes no sense"},
    {VTPM_RESULT_FAIL, "TPM_FAIL", "the operation failed; the daemon's log says why"},
    {VTPM_RESULT_BAD_ORDINAL, "TPM_BAD_ORDINAL", "not possible in the TPM's present phase"},
    {VTPM_RESULT_KEYNOTFOUND, "TPM_KEYNOTFOUND",
     "the blob is encrypted, and the daemon was given no key for it"},
    {VTPM_RESULT_SIZE, "TPM_SIZE", "more bytes than a blob may have"},
    {VTPM_RESULT_IOERROR, "TPM_IOERROR", "the storage failed; the daemon's log says why"},
    {VTPM_RESULT_DECRYPT_ERROR, "TPM_DECRYPT_ERROR",
     "the daemon's key is not the blob's, or the blob was altered"},
    {VTPM_RESULT_BAD_KEY_PROPERTY, "TPM_BAD_KEY_PROPERTY",
     "the blob wants a key of the other length (128 or 256 bits)"},
    {VTPM_RESULT_BAD_DATASIZE, "TPM_BAD_DATASIZE", "the lengths within the blob do not fit"},
    {VTPM_RESULT_BAD_VERSION, "TPM_BAD_VERSION", "the blob's format is newer than the daemon"},
    {VTPM_RESULT_BAD_TYPE, "TPM_BAD_TYPE", "this TPM version has no such blob"},
    {VTPM_RESULT_BAD_LOCALITY, "TPM_BAD_LOCALITY", "not allowed at this locality"},
    {VTPM_RESULT_TPM2_FAILURE, "TPM_RC_FAILURE",
     "the TPM could not be brought up with its state; vtpmctl status says why"},
    {VTPM_RESULT_RETRY, "TPM_RETRY", "not there, or not now"},
});

}  // namespace

std::string CodeInWords::text() const {
  return name + " (" + hex_number(number) + "): " + meaning;
}

CodeInWords describe_response_code(TpmVersion version, ResponseCode code) {
  auto number = static_cast<uint32_t>(code);
  return version == TpmVersion::tpm12 ? tpm12_code(number) : tpm20_code(number);
}

CodeInWords describe_result(uint32_t tpm_result) {
  for (const ResultRow& row : kResults) {
    if (row.number == tpm_result) {
      return {row.number, row.name, row.meaning};
    }
  }
  bool tpm20 = (tpm_result & (kVersion2 | kFormatOne)) != 0;
  return tpm20 ? tpm20_code(tpm_result) : tpm12_code(tpm_result);
}

TpmVersion family_of_response(uint16_t tag) {
  return tag >= 0x00c4 && tag <= 0x00c6 ? TpmVersion::tpm12 : TpmVersion::tpm20;
}

std::string hex_number(uint64_t number, unsigned digits) {
  std::array<char, 24> text{};
  static_cast<void>(std::snprintf(text.data(), text.size(), "0x%0*llx", static_cast<int>(digits),
                                  static_cast<unsigned long long>(number)));
  return text.data();
}

}  // namespace vtpm
