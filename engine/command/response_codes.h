// TPM response codes and the result codes of control requests in words.
//
// Threads: plain functions over constant tables. Errors: none; a number that nobody defined gets a
// name made of the number and a meaning that says what is known about it.
// Sources: TCG TPM 2.0 Library part 2 section 6.6 (TPM_RC), TPM 1.2 Main part 2 section 16.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/bytes.h"
#include "engine/base/tpm_types.h"

namespace vtpm {

struct CodeInWords {
  uint32_t number;
  std::string name;  // as the specification writes it: "TPM_RC_VALUE"
  std::string
      meaning;  // one phrase; for format-one codes it ends in the parameter, handle or session

  // "TPM_RC_FAILURE (0x101): the TPM is in failure mode"
  [[nodiscard]] std::string text() const;
};

CodeInWords describe_response_code(TpmVersion version, ResponseCode code);

// What a control request was answered with: vtpm's own reading of the code where it has one.
CodeInWords describe_result(uint32_t tpm_result);

// The family that a response's tag belongs to; TPM 2.0 for tags of neither.
TpmVersion family_of_response(uint16_t tag);

// "0x101", with at least `digits` digits.
std::string hex_number(uint64_t number, unsigned digits = 1);

}  // namespace vtpm
