// A libtpms made of the test's own functions: it records how it is called, and lets a test call the
// adapter's callbacks as the library would.
//
// One per process, as the real one. Threads: one.
#pragma once

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_nvfilename.h>
#include <libtpms/tpm_tis.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/bytes.h"

namespace vtpm {

struct LibtpmsDouble {
  // "ChooseTPMVersion", "MainInit", ... in the order of the calls; without queries.
  std::vector<std::string> calls;
  std::optional<libtpms_callbacks> callbacks;
  std::string profile;
  int debug_fd = -1;  // not set: the library writes to standard error
  TPMLIB_TPMVersion version = TPMLIB_TPM_VERSION_1_2;

  // What the library is to answer with, and what it does meanwhile.
  TPM_RESULT choose_result = TPM_SUCCESS;
  TPM_RESULT profile_result = TPM_SUCCESS;
  std::function<TPM_RESULT()> main_init = [] { return TPM_SUCCESS; };
  std::function<TPM_RESULT()> process = [] { return TPM_SUCCESS; };
  Bytes response;
  std::function<void()> cancel = [] {};  // on whichever thread says it
  TPM_RESULT io_result = TPM_SUCCESS;    // of the TPM_IO_* functions
  TPM_BOOL established = 0;
  TPM_RESULT state_result = TPM_SUCCESS;
  Bytes state;  // for GetState; empty: there is none
  // What GetState, GetInfo and Hash_Start come to first, as the real one may: no further.
  std::function<void()> mishap = [] {};
  std::string info;  // for GetInfo; empty: out of memory

  int states_taken = 0;  // GetState
  int commands = 0;      // Process
  int queries = 0;       // GetInfo, SetBufferSize

  // What the library was told last.
  TPMLIB_StateType state_type = TPMLIB_STATE_PERMANENT;
  bool null_state = false;  // SetState
  Bytes given;              // SetState, Hash_Data
  uint32_t seen_locality = 99;
  uint32_t asked_info = 0;

  // The callbacks, called as libtpms does.
  struct Loaded {
    TPM_RESULT result;
    Bytes data;
  };
  [[nodiscard]] Loaded load(const char* name) const;
  [[nodiscard]] TPM_RESULT store(const char* name, ByteView data) const;
  [[nodiscard]] TPM_RESULT remove(const char* name, bool must_exist) const;
  [[nodiscard]] uint32_t locality() const;
};

LibtpmsDouble& libtpms();

}  // namespace vtpm
