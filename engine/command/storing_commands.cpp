#include "engine/command/storing_commands.h"

#include <algorithm>
#include <array>

#include "engine/command/codec.h"

namespace vtpm {
namespace {

// What is not listed stores, so that a code of a newer library is on the safe side. In order.
constexpr auto kNotStoring20 = std::to_array<uint32_t>({
    0x131,  // CreatePrimary
    0x13C,  // PCR_Event
    0x13D,  // PCR_Reset
    0x13E,  // SequenceComplete
    0x142,  // IncrementalSelfTest
    0x143,  // SelfTest
    0x146,  // StirRandom
    0x147,  // ActivateCredential
    0x148,  // Certify
    0x149,  // PolicyNV
    0x14A,  // CertifyCreation
    0x14B,  // Duplicate
    0x14C,  // GetTime
    0x14D,  // GetSessionAuditDigest
    0x14E,  // NV_Read
    0x150,  // ObjectChangeAuth
    0x151,  // PolicySecret
    0x152,  // Rewrap
    0x153,  // Create
    0x154,  // ECDH_ZGen
    0x155,  // HMAC
    0x156,  // Import
    0x157,  // Load
    0x158,  // Quote
    0x159,  // RSA_Decrypt
    0x15B,  // HMAC_Start
    0x15C,  // SequenceUpdate
    0x15D,  // Sign
    0x15E,  // Unseal
    0x160,  // PolicySigned
    0x161,  // ContextLoad
    0x162,  // ContextSave
    0x163,  // ECDH_KeyGen
    0x164,  // EncryptDecrypt
    0x165,  // FlushContext
    0x167,  // LoadExternal
    0x168,  // MakeCredential
    0x169,  // NV_ReadPublic
    0x16A,  // PolicyAuthorize
    0x16B,  // PolicyAuthValue
    0x16C,  // PolicyCommandCode
    0x16D,  // PolicyCounterTimer
    0x16E,  // PolicyCpHash
    0x16F,  // PolicyLocality
    0x170,  // PolicyNameHash
    0x171,  // PolicyOR
    0x172,  // PolicyTicket
    0x173,  // ReadPublic
    0x174,  // RSA_Encrypt
    0x176,  // StartAuthSession
    0x177,  // VerifySignature
    0x178,  // ECC_Parameters
    0x17A,  // GetCapability
    0x17B,  // GetRandom
    0x17C,  // GetTestResult
    0x17D,  // Hash
    0x17E,  // PCR_Read
    0x17F,  // PolicyPCR
    0x180,  // PolicyRestart
    0x181,  // ReadClock
    0x182,  // PCR_Extend
    0x185,  // EventSequenceComplete
    0x186,  // HashSequenceStart
    0x187,  // PolicyPhysicalPresence
    0x188,  // PolicyDuplicationSelect
    0x189,  // PolicyGetDigest
    0x18A,  // TestParms
    0x18B,  // Commit
    0x18C,  // PolicyPassword
    0x18D,  // ZGen_2Phase
    0x18E,  // EC_Ephemeral
    0x18F,  // PolicyNvWritten
    0x190,  // PolicyTemplate
    0x191,  // CreateLoaded
    0x192,  // PolicyAuthorizeNV
    0x193,  // EncryptDecrypt2
});
static_assert(std::ranges::is_sorted(kNotStoring20));

// Of those above, what may be authorised by an NV index, which is then the first handle.
constexpr auto kByIndex20 = std::to_array<uint32_t>({
    0x149,  // PolicyNV
    0x14E,  // NV_Read
    0x151,  // PolicySecret
    0x192,  // PolicyAuthorizeNV
});

constexpr auto kNotStoring12 = std::to_array<uint32_t>({
    0x0A,  // OIAP
    0x0B,  // OSAP
    0x14,  // Extend
    0x15,  // PCRRead
    0x16,  // Quote
    0x17,  // Seal
    0x18,  // Unseal
    0x1E,  // UnBind
    0x21,  // GetPubKey
    0x3C,  // Sign
    0x3E,  // Quote2
    0x41,  // LoadKey2
    0x46,  // GetRandom
    0x47,  // StirRandom
    0x50,  // SelfTestFull
    0x53,  // ContinueSelfTest
    0x54,  // GetTestResult
    0x65,  // GetCapability
    0x7C,  // ReadPubek
    0xA0,  // SHA1Start
    0xA1,  // SHA1Update
    0xA2,  // SHA1Complete
    0xA3,  // SHA1CompleteExtend
    0xBA,  // FlushSpecific
    0xF1,  // GetTicks
});
static_assert(std::ranges::is_sorted(kNotStoring12));

constexpr CommandCode kExecuteTransport{0xE7};

bool begins_with_nv_index(ByteView command) {
  constexpr uint32_t kNvIndices = 0x01;  // TPM_HT_NV_INDEX, the first byte of the handle
  return BigEndianReader(command.subspan(std::min(kHeaderSize, command.size()))).u32() >> 24U ==
         kNvIndices;
}

}  // namespace

bool stores_by_design(TpmVersion version, CommandCode code, ByteView command) {
  auto number = static_cast<uint32_t>(code);
  if (version == TpmVersion::tpm12) {
    return !std::ranges::binary_search(kNotStoring12, number);
  }
  bool by_index = std::ranges::find(kByIndex20, number) != kByIndex20.end();
  return !std::ranges::binary_search(kNotStoring20, number) ||
         (by_index && begins_with_nv_index(command));
}

bool carries_another(TpmVersion version, CommandCode code) {
  return version == TpmVersion::tpm12 && code == kExecuteTransport;
}

}  // namespace vtpm
