// The list of commands that store by design, held against the library: every command that it has is
// run, and how often it stores is counted. A command that is not on the list may store by the TPM's
// own doing (it counts a failed authorisation, heals, keeps time, ends a saved state), and never
// again and again because it succeeded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/command/command_traits.h"
#include "engine/tpm/libtpms_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"
#include "tests/support/nv_commands.h"

namespace vtpm {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr int kRounds = 3;  // keeping time is no matter of every one

class Commands : public testing::Test {
 protected:
  explicit Commands(TpmVersion version = TpmVersion::tpm20) : version_(version) {
    engine_ = LibtpmsEngine::create({.version = version, .profile = ""}, store_).value();
    must(engine_->power_on(StoredVolatile::keep).map([](PoweredOn) {}));
    send(startup_command(version, StartupType::clear));
  }

  // libtpms wants the first use of an object with dictionary-attack protection sent again.
  ResponseCode send(ByteView command) {
    ResponseCode code = response_code(engine_->execute(command, Locality{}).value());
    return code != rc::retry ? code : response_code(engine_->execute(command, Locality{}).value());
  }

  // A command that succeeds and stores every time, and is not on the list.
  bool belongs_on_the_list(CommandCode code, ByteView command) {
    int stored = 0;
    for (int round = 0; round < kRounds; ++round) {
      int before = store_.stores;
      bool succeeded = send(command) == rc::success;
      succeeded_.insert(succeeded ? static_cast<uint32_t>(code) : 0);
      stored += succeeded && store_.stores > before ? 1 : 0;
    }
    return stored == kRounds && !stores_by_design(version_, code, command);
  }

  void expect_on_the_list(CommandCode code, ByteView command) {
    EXPECT_FALSE(belongs_on_the_list(code, command))
        << "command 0x" << std::hex << static_cast<uint32_t>(code);
  }

  const TpmVersion version_;
  MemoryStore store_;
  std::unique_ptr<LibtpmsEngine> engine_;
  std::set<uint32_t> succeeded_;  // 0: some failed
};

// TPM2_GetCapability(TPM_CAP_COMMANDS): the codes that the library has, with their attributes.
std::vector<uint32_t> command_attributes(Engine& engine) {
  Bytes query = BigEndianWriter().u32(2).u32(0x11F).u32(256).take();
  Bytes answer = to_bytes(engine.execute(tpm2_command(cc::get_capability, query), {}).value());
  BigEndianReader reader(ByteView(answer).subspan(kHeaderSize + 5));
  std::vector<uint32_t> attributes(reader.u32());
  for (uint32_t& one : attributes) {
    one = reader.u32();
  }
  return attributes;
}

// Handles that are there: an NV index, a PCR, hierarchies, an object, the password's session.
const std::vector<uint32_t> kHandles = {nv_index(1), 16,         0x40000001, 0x4000000C,
                                        0x4000000B,  0x4000000A, 0x80000000, 0x40000009};

const std::vector<Bytes>& parameters() {
  static const std::vector<Bytes> all = {
      {},
      hex("0004"),
      hex("0000"),
      hex("01"),
      hex("00040000"),
      hex("0004 01020304"),
      hex("0004 01020304 0000"),
      hex("00000001 000b" + std::string(64, '5')),
      hex("00000001 000b 03 000001"),
      hex("00000006 00000100 00000001"),
      hex("0004 01020304 000b 40000007"),
      hex("0000 000b"),
      hex("0000 0010 00000001 000b 03 000001"),
      hex("0000 0000 0000 00000000"),
      hex("0004 0000 0000 001a 0001 000b 00030072 0000 0006 0080 0043 0010 0800 00000000 0000 0000 "
          "00000000"),
      hex("0004 0000 0000 000e 0008 000b 00000052 0000 0010 0000 0000 00000000"),
  };
  return all;
}

class Commands20 : public Commands {
 protected:
  Commands20() {
    EXPECT_EQ(send(nv_define(1, kNvNoDa)), rc::success);
    EXPECT_EQ(send(nv_write(1, as_bytes("word"))), rc::success);
  }
  void run_with_every_handle(CommandCode code, size_t handles) {
    for (size_t first = 0; first < kHandles.size(); ++first) {
      BigEndianWriter writer;
      for (size_t i = 0; i < handles; ++i) {
        writer.u32(i == 0 ? kHandles[first] : nv_index(1));
      }
      Bytes area = writer.take();
      for (const Bytes& some : parameters()) {
        expect_on_the_list(code, tpm2_command_with_password(code, area, some));
        expect_on_the_list(code, tpm2_command_with_password(code, area, some, as_bytes("wrong")));
      }
    }
  }
};

// Those that change what the test itself stands on are on the list, and no matter here.
TEST_F(Commands20, EveryOneOfTheLibrary_StoresOnlyIfItIsOnTheList) {
  std::vector<uint32_t> attributes = command_attributes(*engine_);
  ASSERT_THAT(attributes, SizeIs(testing::Gt(90u)));
  std::erase_if(attributes, [](uint32_t one) {
    return stores_by_design(TpmVersion::tpm20, CommandCode{one & 0x2000FFFFU}, {});
  });

  for (uint32_t one : attributes) {
    CommandCode code{one & 0x2000FFFFU};
    for (const Bytes& some : parameters()) {
      expect_on_the_list(code, tpm2_command(code, some));
    }
    run_with_every_handle(code, one >> 25U & 7U);
  }

  EXPECT_THAT(succeeded_,
              testing::IsSupersetOf({0x131u, 0x13Cu, 0x13Du, 0x143u, 0x146u, 0x14Eu, 0x178u, 0x17Au,
                                     0x17Bu, 0x17Cu, 0x17Du, 0x17Eu, 0x181u, 0x182u, 0x18Eu}));
}

// What the library tells of its command (TPMA_CC) as the traits say it.
CommandTraits as_told(uint32_t attributes) {
  CommandTraits told = traits_of(TpmVersion::tpm20, CommandCode{attributes & 0x2000FFFFU});
  told.handles = static_cast<uint8_t>(attributes >> 25U & 7U);
  told.flushes = (attributes >> 24U & 1U) != 0;
  told.returns_handle = (attributes >> 28U & 1U) != 0;
  return told;
}

TEST_F(Commands20, EveryOneOfTheLibrary_HasTheHandlesOfItsTraits) {
  for (uint32_t one : command_attributes(*engine_)) {
    CommandTraits traits = traits_of(TpmVersion::tpm20, CommandCode{one & 0x2000FFFFU});

    EXPECT_EQ(traits, as_told(one)) << "command 0x" << std::hex << one;
  }
}

// A client's day, in order: a signing key, a policy session, a sequence. Handles are the first
// free.
std::vector<Bytes> use_of_keys_and_sessions() {
  const Bytes key = hex("80000000");
  const Bytes session = hex("03000000");
  const Bytes digest = hex("0020" + std::string(64, '5'));
  const Bytes pcrs = hex("00000001 000b 03 000001");
  auto with = [](uint32_t code, const Bytes& handles, const Bytes& parameters) {
    return tpm2_command_with_password(CommandCode{code}, handles, parameters);
  };
  auto plain = [](uint32_t code, const Bytes& handle, std::string_view parameters) {
    return tpm2_command(CommandCode{code},
                        BigEndianWriter().bytes(handle).bytes(hex(parameters)).take());
  };
  Bytes create_key =
      hex("0004 0000 0000 0018 0023 000b 00040072 0000 0010 0018 000b 0003 0010 "
          "0000 0000 0000 00000000");
  Bytes no_ticket = hex("0010 8024 40000007 0000");
  return {
      with(0x131, hex("40000001"), create_key),
      plain(0x173, key, ""),  // ReadPublic
      plain(0x162, key, ""),  // ContextSave
      with(0x15D, key, BigEndianWriter().bytes(digest).bytes(no_ticket).take()),
      with(0x158, key, BigEndianWriter().u16(0).u16(0x10).bytes(pcrs).take()),
      plain(0x176, hex("40000007 40000007"), "0010" + std::string(32, '5') + "0000 01 0010 000b"),
      with(0x151, hex("40000001 03000000"), hex("0000 0000 0000 00000000")),
      plain(0x17F, session, "0000 00000001 000b 03 000001"),  // PolicyPCR
      plain(0x16C, session, "00000137"),                      // PolicyCommandCode
      plain(0x16B, session, ""),                              // PolicyAuthValue
      plain(0x189, session, ""),                              // PolicyGetDigest
      plain(0x180, session, ""),                              // PolicyRestart
      plain(0x165, {}, "03000000"),                           // FlushContext
      plain(0x186, {}, "0000 000b"),                          // HashSequenceStart
      with(0x15C, hex("80000001"), hex("0004 01020304")),     // SequenceUpdate
      with(0x13E, hex("80000001"), hex("0000 40000007")),     // SequenceComplete
      plain(0x165, {}, "80000000"),
      plain(0x142, {}, "00000000"),  // IncrementalSelfTest
      nv_read_public(1),
  };
}

TEST_F(Commands20, UseOfKeysAndSessions_SucceedsAndStoresNothingByDesign) {
  std::vector<Bytes> commands = use_of_keys_and_sessions();
  std::vector<int> stored(commands.size());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < commands.size(); ++i) {
      int before = store_.stores;
      EXPECT_EQ(send(commands[i]), rc::success) << "number " << i;
      stored[i] += store_.stores > before ? 1 : 0;
    }
  }

  EXPECT_THAT(stored, testing::Each(testing::Lt(kRounds)));
}

TEST_F(Commands20, WrongAuthorisation_IsCountedWhateverTheCommand) {
  ASSERT_EQ(send(nv_define(2, kNvWithDa, as_bytes("right"))), rc::success);
  send(nv_read(2, as_bytes("wrong")));  // the first use of such an object is noted as well
  int stores = store_.stores;

  send(nv_read(2, as_bytes("wrong")));

  EXPECT_GT(store_.stores, stores);
}

class Commands12 : public Commands {
 protected:
  Commands12() : Commands(TpmVersion::tpm12) {}
};

TEST_F(Commands12, EveryOneOfTheLibrary_StoresOnlyIfItIsOnTheList) {
  const std::vector<Bytes> bodies = {{},
                                     hex("0008"),
                                     hex("00000008"),
                                     hex("00000001"),
                                     hex("00000004 01020304"),
                                     hex("00000003" + std::string(40, '5')),
                                     hex("00000006 00000000"),
                                     hex(std::string(40, '5')),
                                     hex("00000000 00000001"),
                                     hex("0003000001")};
  for (uint32_t number = 0; number < 0x100; ++number) {
    for (const Bytes& body : bodies) {
      Bytes command = tpm12_command(CommandCode{number}, body);
      bool store_by_design = stores_by_design(version_, CommandCode{number}, command);
      if (!store_by_design) {
        expect_on_the_list(CommandCode{number}, command);
      }
    }
  }

  EXPECT_THAT(succeeded_, testing::IsSupersetOf({0x0Au, 0x14u, 0x15u, 0x46u, 0x47u, 0x50u, 0x53u,
                                                 0x54u, 0x65u, 0xA0u, 0xF1u}));
}

// -- what nobody knows, and what an NV index authorises --

TEST(StoringCommands, Unknown_StoresByDesign) {
  EXPECT_TRUE(stores_by_design(TpmVersion::tpm20, CommandCode{0x1FF}, {}));
  EXPECT_TRUE(stores_by_design(TpmVersion::tpm20, CommandCode{0x20000001}, {}));
  EXPECT_TRUE(stores_by_design(TpmVersion::tpm12, CommandCode{0xFE}, {}));
}

TEST(StoringCommands, ReadByAnNvIndex_StoresAndByTheOwnerDoesNot) {
  Bytes by_owner = BigEndianWriter().u32(0x40000001).u32(nv_index(1)).u16(4).u16(0).take();

  EXPECT_TRUE(stores_by_design(TpmVersion::tpm20, CommandCode{0x14E}, nv_read(1, {})));
  EXPECT_FALSE(stores_by_design(TpmVersion::tpm20, CommandCode{0x14E},
                                tpm2_command(CommandCode{0x14E}, by_owner)));
}

TEST(StoringCommands, TransportOfATpm12_CarriesAnother) {
  EXPECT_TRUE(carries_another(TpmVersion::tpm12, CommandCode{0xE7}));
  EXPECT_FALSE(carries_another(TpmVersion::tpm12, CommandCode{0xE6}));
  EXPECT_FALSE(carries_another(TpmVersion::tpm20, CommandCode{0xE7}));
}

}  // namespace
}  // namespace vtpm
