// Control requests that carry bytes of varying length: commands, state blobs, the information text,
// data to hash. The device is not trusted: every length it gives is checked before use, and a
// transfer that cannot end is given up.
//
// Threads: as DeviceClient. Units: bytes. Errors: those of DeviceClient::call, and corrupt when the
// device's answers contradict each other.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "ctl/tool/device/device_client.h"
#include "engine/base/bytes.h"
#include "engine/base/tpm_types.h"

namespace vtpm {

// What a device may hand out or be given as one state blob, and as its information text.
inline constexpr size_t kLargestBlob = size_t{1} << 20;
inline constexpr size_t kLargestInfo = size_t{1} << 18;

std::string_view name_of(BlobKind kind);

// How a blob's contents are protected, as its header says.
struct BlobProtection {
  bool state_key = false;      // still encrypted with the key of the source's storage
  bool migration_key = false;  // encrypted with the migration key
};

// Checks the header that all of swtpm's blobs begin with against the blob's real size; corrupt when
// they do not fit.
Result<BlobProtection> check_blob(ByteView blob);

// `decrypted` asks for the blob without the encryption of the source's storage.
Result<Bytes> get_state_blob(DeviceClient& device, BlobKind kind, bool decrypted);
Result<void> set_state_blob(DeviceClient& device, BlobKind kind, ByteView blob);

// The TPM's specification, attributes and features: JSON text.
Result<std::string> get_info(DeviceClient& device);

// One command and its response, which is checked to be as long as its header says. Without a
// locality: the one set last.
Result<Bytes> execute(DeviceClient& device, std::optional<Locality> locality, ByteView command);

// Gives the next bytes of the data to hash, at most `most`; none at its end.
using ByteSource = std::function<Result<Bytes>(size_t most)>;

// Starts a hash sequence (an H-CRTM event), gives it all that `source` has, and ends it. When the
// source fails the sequence is left without its end, so that no PCR takes a partial measurement.
Result<void> hash(DeviceClient& device, const ByteSource& source);

}  // namespace vtpm
