#include "ctl/tool/device/fresh_identity.h"

#include "ctl/tool/device/transfers.h"
#include "engine/command/codec.h"
#include "engine/command/marshal.h"
#include "engine/command/response_codes.h"

namespace vtpm {
namespace {

constexpr uint32_t kPlatform = 0x4000000C;  // TPM_RH_PLATFORM
constexpr CommandCode kNvUndefineSpace{0x122};
constexpr uint32_t kCapHandles = 1;
constexpr uint32_t kFirstCertificate = 0x01c00000;
constexpr uint32_t kLastCertificate = 0x01c07fff;

// Authorised by the platform, whose authorisation value is empty from power-on until firmware sets
// one.
Bytes platform_command(CommandCode code, ByteView further_handles = {}) {
  Bytes handles = BigEndianWriter().u32(kPlatform).bytes(further_handles).take();
  return tpm2_command_with_password(code, handles, {});
}

Bytes nv_indices_from(uint32_t first) {
  constexpr uint32_t kMost = 64;
  return tpm2_command(cc::get_capability,
                      BigEndianWriter().u32(kCapHandles).u32(first).u32(kMost).take());
}

Result<Bytes> execute_step(DeviceClient& device, const char* step, ByteView bytes) {
  auto response = execute(device, Locality{0}, bytes);
  if (!response) {
    return tl::unexpected(response.error());
  }
  ResponseCode code = response_code(*response);
  if (code != rc::success) {
    return tl::unexpected(
        device.error(Errc::tpm, std::string("the TPM refused ") + step + " with " +
                                    describe_response_code(TpmVersion::tpm20, code).text()));
  }
  return response;
}

struct Handles {
  bool more = false;
  std::vector<uint32_t> handles;
};

Result<Handles> parse_handles(const DeviceClient& device, ByteView response) {
  BigEndianReader reader(response);
  reader.bytes(kHeaderSize);
  Handles found{reader.u8() != 0, {}};
  uint32_t capability = reader.u32();
  uint32_t count = reader.u32();
  if (!reader.ok() || capability != kCapHandles || reader.remaining() != count * sizeof(uint32_t)) {
    return tl::unexpected(device.error(Errc::corrupt, "the TPM's list of NV indices is none"));
  }
  for (uint32_t i = 0; i < count; ++i) {
    found.handles.push_back(reader.u32());
  }
  return found;
}

Result<std::vector<uint32_t>> list_certificates(DeviceClient& device) {
  std::vector<uint32_t> certificates;
  uint32_t from = kFirstCertificate;
  while (from <= kLastCertificate) {
    auto response = execute_step(device, "to list its NV indices", nv_indices_from(from));
    auto page = response ? parse_handles(device, *response) : tl::unexpected(response.error());
    if (!page) {
      return tl::unexpected(page.error());
    }
    for (uint32_t handle : page->handles) {
      if (handle >= from && handle <= kLastCertificate) {
        certificates.push_back(handle);
      }
    }
    bool ends = !page->more || page->handles.empty() || page->handles.back() < from;
    from = ends ? kLastCertificate + 1 : page->handles.back() + 1;
  }
  return certificates;
}

Result<FreshIdentity> remove_certificates(DeviceClient& device) {
  auto certificates = list_certificates(device);
  if (!certificates) {
    return tl::unexpected(certificates.error());
  }
  FreshIdentity changed;
  for (uint32_t index : *certificates) {
    Bytes handle = BigEndianWriter().u32(index).take();
    auto response = execute(device, Locality{0}, platform_command(kNvUndefineSpace, handle));
    if (!response) {
      return tl::unexpected(response.error());
    }
    bool removed = response_code(*response) == rc::success;
    (removed ? changed.removed : changed.left).push_back(index);
  }
  return changed;
}

}  // namespace

Result<FreshIdentity> make_fresh_identity(DeviceClient& device) {
  auto changed =
      execute_step(device, "Startup", startup_command(TpmVersion::tpm20, StartupType::clear))
          .and_then([&](const Bytes&) {
            return execute_step(device, "ChangeEPS", platform_command(cc::change_eps));
          });
  auto removed = changed ? remove_certificates(device) : tl::unexpected(changed.error());
  if (!removed) {
    return removed;
  }
  auto shut_down = execute_step(device, "Shutdown", shutdown_command(ShutdownType::clear));
  return shut_down ? removed : tl::unexpected(shut_down.error());
}

}  // namespace vtpm
