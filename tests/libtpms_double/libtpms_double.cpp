#include "tests/libtpms_double/libtpms_double.h"

#include <cstdlib>
#include <cstring>

namespace vtpm {

LibtpmsDouble& libtpms() {
  static LibtpmsDouble the_library;
  return the_library;
}

LibtpmsDouble::Loaded LibtpmsDouble::load(const char* name) const {
  unsigned char* data = nullptr;
  uint32_t length = 0;
  TPM_RESULT result = callbacks.value().tpm_nvram_loaddata(&data, &length, 0, name);
  ByteView view = std::as_bytes(std::span(data, length));
  Loaded loaded{result, Bytes(view.begin(), view.end())};
  std::free(data);  // NOLINT: as libtpms does; the sanitizer sees whether it came from malloc
  return loaded;
}

TPM_RESULT LibtpmsDouble::store(const char* name, ByteView data) const {
  return callbacks.value().tpm_nvram_storedata(
      reinterpret_cast<const unsigned char*>(data.data()),  // NOLINT: C
      static_cast<uint32_t>(data.size()), 0, name);
}

TPM_RESULT LibtpmsDouble::remove(const char* name, bool must_exist) const {
  return callbacks.value().tpm_nvram_deletename(0, name, must_exist ? 1 : 0);
}

uint32_t LibtpmsDouble::locality() const {
  TPM_MODIFIER_INDICATOR locality = 99;
  callbacks.value().tpm_io_getlocality(&locality, 0);
  return locality;
}

}  // namespace vtpm

using vtpm::libtpms;

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): our names, their functions
extern "C" {

uint32_t TPMLIB_GetVersion() {
  return 0x00000a02;
}

TPM_RESULT TPMLIB_ChooseTPMVersion(TPMLIB_TPMVersion version) {
  libtpms().calls.emplace_back("ChooseTPMVersion");
  libtpms().version = version;
  return libtpms().choose_result;
}

TPM_RESULT TPMLIB_RegisterCallbacks(libtpms_callbacks* callbacks) {
  libtpms().calls.emplace_back("RegisterCallbacks");
  libtpms().callbacks = *callbacks;
  return TPM_SUCCESS;
}

TPM_RESULT TPMLIB_SetProfile(const char* profile) {
  libtpms().calls.emplace_back("SetProfile");
  libtpms().profile = profile;
  return libtpms().profile_result;
}

TPM_RESULT TPMLIB_MainInit() {
  libtpms().calls.emplace_back("MainInit");
  return libtpms().main_init();
}

void TPMLIB_SetDebugFD(int fd) {
  libtpms().debug_fd = fd;
}

void TPMLIB_Terminate() {
  libtpms().calls.emplace_back("Terminate");
}

TPM_RESULT TPMLIB_Process(unsigned char** response, uint32_t* size, uint32_t* capacity,
                          unsigned char* /*command*/, uint32_t /*command_size*/) {
  ++libtpms().commands;
  TPM_RESULT result = libtpms().process();
  const vtpm::Bytes& bytes = libtpms().response;
  if (*capacity < 4096) {
    *response = static_cast<unsigned char*>(std::realloc(*response, 4096));  // NOLINT: its rule
    *capacity = 4096;
  }
  if (!bytes.empty()) {
    std::memcpy(*response, bytes.data(), bytes.size());
  }
  *size = static_cast<uint32_t>(bytes.size());
  return result;
}

TPM_RESULT TPMLIB_CancelCommand() {
  libtpms().cancel();
  return TPM_SUCCESS;
}

TPM_RESULT TPM_IO_TpmEstablished_Get(TPM_BOOL* established) {
  *established = libtpms().established;
  return libtpms().io_result;
}

TPM_RESULT TPM_IO_TpmEstablished_Reset() {
  libtpms().calls.emplace_back("TpmEstablished_Reset");
  libtpms().seen_locality = libtpms().locality();
  return libtpms().io_result;
}

TPM_RESULT TPM_IO_Hash_Start() {
  libtpms().calls.emplace_back("Hash_Start");
  libtpms().mishap();
  return libtpms().io_result;
}

TPM_RESULT TPM_IO_Hash_Data(const unsigned char* data, uint32_t length) {
  libtpms().calls.emplace_back("Hash_Data");
  auto view = std::as_bytes(std::span(data, length));
  libtpms().given.assign(view.begin(), view.end());
  return libtpms().io_result;
}

TPM_RESULT TPM_IO_Hash_End() {
  libtpms().calls.emplace_back("Hash_End");
  return libtpms().io_result;
}

TPM_RESULT TPMLIB_GetState(TPMLIB_StateType type, unsigned char** data, uint32_t* length) {
  ++libtpms().states_taken;
  libtpms().mishap();
  libtpms().state_type = type;
  const vtpm::Bytes& state = libtpms().state;
  *data = nullptr;
  *length = static_cast<uint32_t>(state.size());
  if (!state.empty()) {
    *data = static_cast<unsigned char*>(std::malloc(state.size()));  // NOLINT: its rule
    std::memcpy(*data, state.data(), state.size());
  }
  return libtpms().state_result;
}

TPM_RESULT TPMLIB_SetState(TPMLIB_StateType type, const unsigned char* data, uint32_t length) {
  libtpms().calls.emplace_back("SetState");
  libtpms().state_type = type;
  libtpms().null_state = data == nullptr;
  auto view = std::as_bytes(std::span(data, length));
  libtpms().given.assign(view.begin(), view.end());
  return libtpms().state_result;
}

char* TPMLIB_GetInfo(TPMLIB_InfoFlags what) {
  ++libtpms().queries;
  libtpms().mishap();
  libtpms().asked_info = what;
  return libtpms().info.empty() ? nullptr : strdup(libtpms().info.c_str());  // NOLINT: its rule
}

uint32_t TPMLIB_SetBufferSize(uint32_t wanted, uint32_t* min, uint32_t* max) {
  ++libtpms().queries;
  *min = 2808;
  *max = 4096;
  return wanted == 0 ? 4096 : wanted;
}
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
