#include "engine/command/command_traits.h"

#include <algorithm>
#include <array>
#include <span>

#include "engine/command/codec.h"

namespace vtpm {
namespace {

// What a row's flags mean is in the header.
constexpr unsigned kStores = 1U << 0;
constexpr unsigned kStoresByIndex = 1U << 1;
constexpr unsigned kLong = 1U << 2;
constexpr unsigned kReturnsHandle = 1U << 3;
constexpr unsigned kFlushes = 1U << 4;
constexpr unsigned kCarriesAnother = 1U << 5;

struct Row {
  CommandCode code;
  uint8_t handles;
  unsigned flags;
};

// Sorted by code.
constexpr auto kTpm20 = std::to_array<Row>({
    {CommandCode{0x11F}, 2, kStores},                 // NV_UndefineSpaceSpecial
    {CommandCode{0x120}, 2, kStores},                 // EvictControl
    {CommandCode{0x121}, 1, kStores},                 // HierarchyControl
    {CommandCode{0x122}, 2, kStores},                 // NV_UndefineSpace
    {CommandCode{0x124}, 1, kStores | kLong},         // ChangeEPS
    {CommandCode{0x125}, 1, kStores | kLong},         // ChangePPS
    {CommandCode{0x126}, 1, kStores | kLong},         // Clear
    {CommandCode{0x127}, 1, kStores},                 // ClearControl
    {CommandCode{0x128}, 1, kStores},                 // ClockSet
    {CommandCode{0x129}, 1, kStores},                 // HierarchyChangeAuth
    {CommandCode{0x12A}, 1, kStores},                 // NV_DefineSpace
    {CommandCode{0x12B}, 1, kStores},                 // PCR_Allocate
    {CommandCode{0x12C}, 1, kStores},                 // PCR_SetAuthPolicy
    {CommandCode{0x12D}, 1, kStores},                 // PP_Commands
    {CommandCode{0x12E}, 1, kStores},                 // SetPrimaryPolicy
    {CommandCode{0x12F}, 2, kStores},                 // FieldUpgradeStart
    {CommandCode{0x130}, 1, kStores},                 // ClockRateAdjust
    {CommandCode{0x131}, 1, kLong | kReturnsHandle},  // CreatePrimary
    {CommandCode{0x132}, 1, kStores},                 // NV_GlobalWriteLock
    {CommandCode{0x133}, 2, kStores},                 // GetCommandAuditDigest
    {CommandCode{0x134}, 2, kStores},                 // NV_Increment
    {CommandCode{0x135}, 2, kStores},                 // NV_SetBits
    {CommandCode{0x136}, 2, kStores},                 // NV_Extend
    {CommandCode{0x137}, 2, kStores},                 // NV_Write
    {CommandCode{0x138}, 2, kStores},                 // NV_WriteLock
    {CommandCode{0x139}, 1, kStores},                 // DictionaryAttackLockReset
    {CommandCode{0x13A}, 1, kStores},                 // DictionaryAttackParameters
    {CommandCode{0x13B}, 1, kStores},                 // NV_ChangeAuth
    {CommandCode{0x13C}, 1, 0},                       // PCR_Event
    {CommandCode{0x13D}, 1, 0},                       // PCR_Reset
    {CommandCode{0x13E}, 1, kFlushes},                // SequenceComplete
    {CommandCode{0x13F}, 1, kStores},                 // SetAlgorithmSet
    {CommandCode{0x140}, 1, kStores},                 // SetCommandCodeAuditStatus
    {CommandCode{0x141}, 0, kStores},                 // FieldUpgradeData
    {CommandCode{0x142}, 0, kLong},                   // IncrementalSelfTest
    {CommandCode{0x143}, 0, kLong},                   // SelfTest
    {CommandCode{0x144}, 0, kStores},                 // Startup
    {CommandCode{0x145}, 0, kStores},                 // Shutdown
    {CommandCode{0x146}, 0, 0},                       // StirRandom
    {CommandCode{0x147}, 2, 0},                       // ActivateCredential
    {CommandCode{0x148}, 2, 0},                       // Certify
    {CommandCode{0x149}, 3, kStoresByIndex},          // PolicyNV
    {CommandCode{0x14A}, 2, 0},                       // CertifyCreation
    {CommandCode{0x14B}, 2, 0},                       // Duplicate
    {CommandCode{0x14C}, 2, 0},                       // GetTime
    {CommandCode{0x14D}, 3, 0},                       // GetSessionAuditDigest
    {CommandCode{0x14E}, 2, kStoresByIndex},          // NV_Read
    {CommandCode{0x14F}, 2, kStores},                 // NV_ReadLock
    {CommandCode{0x150}, 2, 0},                       // ObjectChangeAuth
    {CommandCode{0x151}, 2, kStoresByIndex},          // PolicySecret
    {CommandCode{0x152}, 2, 0},                       // Rewrap
    {CommandCode{0x153}, 1, kLong},                   // Create
    {CommandCode{0x154}, 1, 0},                       // ECDH_ZGen
    {CommandCode{0x155}, 1, 0},                       // HMAC
    {CommandCode{0x156}, 1, 0},                       // Import
    {CommandCode{0x157}, 1, kReturnsHandle},          // Load
    {CommandCode{0x158}, 1, 0},                       // Quote
    {CommandCode{0x159}, 1, 0},                       // RSA_Decrypt
    {CommandCode{0x15B}, 1, kReturnsHandle},          // HMAC_Start
    {CommandCode{0x15C}, 1, 0},                       // SequenceUpdate
    {CommandCode{0x15D}, 1, 0},                       // Sign
    {CommandCode{0x15E}, 1, 0},                       // Unseal
    {CommandCode{0x160}, 2, 0},                       // PolicySigned
    {CommandCode{0x161}, 0, kReturnsHandle},          // ContextLoad
    {CommandCode{0x162}, 1, 0},                       // ContextSave
    {CommandCode{0x163}, 1, 0},                       // ECDH_KeyGen
    {CommandCode{0x164}, 1, 0},                       // EncryptDecrypt
    {CommandCode{0x165}, 0, 0},                       // FlushContext
    {CommandCode{0x167}, 0, kReturnsHandle},          // LoadExternal
    {CommandCode{0x168}, 1, 0},                       // MakeCredential
    {CommandCode{0x169}, 1, 0},                       // NV_ReadPublic
    {CommandCode{0x16A}, 1, 0},                       // PolicyAuthorize
    {CommandCode{0x16B}, 1, 0},                       // PolicyAuthValue
    {CommandCode{0x16C}, 1, 0},                       // PolicyCommandCode
    {CommandCode{0x16D}, 1, 0},                       // PolicyCounterTimer
    {CommandCode{0x16E}, 1, 0},                       // PolicyCpHash
    {CommandCode{0x16F}, 1, 0},                       // PolicyLocality
    {CommandCode{0x170}, 1, 0},                       // PolicyNameHash
    {CommandCode{0x171}, 1, 0},                       // PolicyOR
    {CommandCode{0x172}, 1, 0},                       // PolicyTicket
    {CommandCode{0x173}, 1, 0},                       // ReadPublic
    {CommandCode{0x174}, 1, 0},                       // RSA_Encrypt
    {CommandCode{0x176}, 2, kReturnsHandle},          // StartAuthSession
    {CommandCode{0x177}, 1, 0},                       // VerifySignature
    {CommandCode{0x178}, 0, 0},                       // ECC_Parameters
    {CommandCode{0x179}, 0, kStores},                 // FirmwareRead
    {CommandCode{0x17A}, 0, 0},                       // GetCapability
    {CommandCode{0x17B}, 0, 0},                       // GetRandom
    {CommandCode{0x17C}, 0, 0},                       // GetTestResult
    {CommandCode{0x17D}, 0, 0},                       // Hash
    {CommandCode{0x17E}, 0, 0},                       // PCR_Read
    {CommandCode{0x17F}, 1, 0},                       // PolicyPCR
    {CommandCode{0x180}, 1, 0},                       // PolicyRestart
    {CommandCode{0x181}, 0, 0},                       // ReadClock
    {CommandCode{0x182}, 1, 0},                       // PCR_Extend
    {CommandCode{0x183}, 1, kStores},                 // PCR_SetAuthValue
    {CommandCode{0x184}, 3, kStores},                 // NV_Certify
    {CommandCode{0x185}, 2, kFlushes},                // EventSequenceComplete
    {CommandCode{0x186}, 0, kReturnsHandle},          // HashSequenceStart
    {CommandCode{0x187}, 1, 0},                       // PolicyPhysicalPresence
    {CommandCode{0x188}, 1, 0},                       // PolicyDuplicationSelect
    {CommandCode{0x189}, 1, 0},                       // PolicyGetDigest
    {CommandCode{0x18A}, 0, 0},                       // TestParms
    {CommandCode{0x18B}, 1, 0},                       // Commit
    {CommandCode{0x18C}, 1, 0},                       // PolicyPassword
    {CommandCode{0x18D}, 1, 0},                       // ZGen_2Phase
    {CommandCode{0x18E}, 0, 0},                       // EC_Ephemeral
    {CommandCode{0x18F}, 1, 0},                       // PolicyNvWritten
    {CommandCode{0x190}, 1, 0},                       // PolicyTemplate
    {CommandCode{0x191}, 1, kLong | kReturnsHandle},  // CreateLoaded
    {CommandCode{0x192}, 3, kStoresByIndex},          // PolicyAuthorizeNV
    {CommandCode{0x193}, 1, 0},                       // EncryptDecrypt2
    {CommandCode{0x194}, 1, kStores},                 // AC_GetCapability
    {CommandCode{0x195}, 3, kStores},                 // AC_Send
    {CommandCode{0x196}, 1, kStores},                 // Policy_AC_SendSelect
    {CommandCode{0x197}, 2, kStores},                 // CertifyX509
    {CommandCode{0x198}, 1, kStores},                 // ACT_SetTimeout
});
static_assert(std::ranges::is_sorted(kTpm20, {}, &Row::code));

// Only ordinals of which something else is true than of an unknown one. Their handles are not
// counted. Sorted by code.
constexpr auto kTpm12 = std::to_array<Row>({
    {CommandCode{0x0A}, 0, 0},                          // OIAP
    {CommandCode{0x0B}, 0, 0},                          // OSAP
    {CommandCode{0x0D}, 0, kStores | kLong},            // TakeOwnership
    {CommandCode{0x13}, 0, kStores | kLong},            // CMK_CreateKey
    {CommandCode{0x14}, 0, 0},                          // Extend
    {CommandCode{0x15}, 0, 0},                          // PCRRead
    {CommandCode{0x16}, 0, 0},                          // Quote
    {CommandCode{0x17}, 0, 0},                          // Seal
    {CommandCode{0x18}, 0, 0},                          // Unseal
    {CommandCode{0x1E}, 0, 0},                          // UnBind
    {CommandCode{0x1F}, 0, kStores | kLong},            // CreateWrapKey
    {CommandCode{0x21}, 0, 0},                          // GetPubKey
    {CommandCode{0x3C}, 0, 0},                          // Sign
    {CommandCode{0x3E}, 0, 0},                          // Quote2
    {CommandCode{0x41}, 0, 0},                          // LoadKey2
    {CommandCode{0x46}, 0, 0},                          // GetRandom
    {CommandCode{0x47}, 0, 0},                          // StirRandom
    {CommandCode{0x50}, 0, kLong},                      // SelfTestFull
    {CommandCode{0x53}, 0, kLong},                      // ContinueSelfTest
    {CommandCode{0x54}, 0, 0},                          // GetTestResult
    {CommandCode{0x65}, 0, 0},                          // GetCapability
    {CommandCode{0x78}, 0, kStores | kLong},            // CreateEndorsementKeyPair
    {CommandCode{0x79}, 0, kStores | kLong},            // MakeIdentity
    {CommandCode{0x7C}, 0, 0},                          // ReadPubek
    {CommandCode{0x7F}, 0, kStores | kLong},            // CreateRevocableEK
    {CommandCode{0xA0}, 0, 0},                          // SHA1Start
    {CommandCode{0xA1}, 0, 0},                          // SHA1Update
    {CommandCode{0xA2}, 0, 0},                          // SHA1Complete
    {CommandCode{0xA3}, 0, 0},                          // SHA1CompleteExtend
    {CommandCode{0xBA}, 0, 0},                          // FlushSpecific
    {CommandCode{0xE7}, 0, kStores | kCarriesAnother},  // ExecuteTransport
    {CommandCode{0xF1}, 0, 0},                          // GetTicks
});
static_assert(std::ranges::is_sorted(kTpm12, {}, &Row::code));

// Codes have few gaps: a row is as far from the first one as its code is, or a little nearer.
Row find_row(std::span<const Row> table, CommandCode code) {
  uint32_t distance = static_cast<uint32_t>(code) - static_cast<uint32_t>(table.front().code);
  size_t at = std::min<size_t>(distance, table.size() - 1);
  while (at > 0 && table[at].code > code) {
    --at;
  }
  return table[at].code == code ? table[at] : Row{code, 0, kStores};
}

constexpr Stores when_it_stores(unsigned flags) {
  if ((flags & kStoresByIndex) != 0) {
    return Stores::by_nv_index;
  }
  return (flags & kStores) != 0 ? Stores::always : Stores::never;
}

// The first handle follows the header; its first byte is its kind.
bool begins_with_nv_index(ByteView command) {
  constexpr uint32_t kNvIndices = 0x01;  // TPM_HT_NV_INDEX
  ByteView handles = command.subspan(std::min(kHeaderSize, command.size()));
  return BigEndianReader(handles).u32() >> 24U == kNvIndices;
}

}  // namespace

CommandTraits traits_of(TpmVersion version, CommandCode code) {
  Row row = version == TpmVersion::tpm20 ? find_row(kTpm20, code) : find_row(kTpm12, code);
  return {.handles = row.handles,
          .returns_handle = (row.flags & kReturnsHandle) != 0,
          .flushes = (row.flags & kFlushes) != 0,
          .is_long = (row.flags & kLong) != 0,
          .carries_another = (row.flags & kCarriesAnother) != 0,
          .stores = when_it_stores(row.flags)};
}

bool stores_by_design(const CommandTraits& traits, ByteView command) {
  return traits.stores == Stores::always ||
         (traits.stores == Stores::by_nv_index && begins_with_nv_index(command));
}

bool stores_by_design(TpmVersion version, CommandCode code, ByteView command) {
  return stores_by_design(traits_of(version, code), command);
}

bool carries_another(TpmVersion version, CommandCode code) {
  return traits_of(version, code).carries_another;
}

bool is_long_running(TpmVersion version, CommandCode code) {
  return traits_of(version, code).is_long;
}

}  // namespace vtpm
