#include "engine/command/command_traits.h"

#include <gtest/gtest.h>

#include <vector>

namespace vtpm {
namespace {

// All codes below 0x200 that a version takes for long-running.
std::vector<uint32_t> long_codes(TpmVersion version) {
  std::vector<uint32_t> codes;
  for (uint32_t code = 0; code < 0x200; ++code) {
    if (is_long_running(version, CommandCode{code})) {
      codes.push_back(code);
    }
  }
  return codes;
}

TEST(LongRunning, Tpm20_IsKeyGenerationClearAndSelfTests) {
  EXPECT_EQ(long_codes(TpmVersion::tpm20),
            (std::vector<uint32_t>{0x124, 0x125, 0x126, 0x131, 0x142, 0x143, 0x153, 0x191}));
}

TEST(LongRunning, Tpm12_IsKeyGenerationAndSelfTests) {
  EXPECT_EQ(long_codes(TpmVersion::tpm12),
            (std::vector<uint32_t>{0x0d, 0x13, 0x1f, 0x50, 0x53, 0x78, 0x79, 0x7f}));
}

TEST(CommandTraits, OfACommandThatMakesAnObject_TellTheHandleOfTheResponse) {
  CommandTraits load = traits_of(TpmVersion::tpm20, CommandCode{0x157});

  EXPECT_EQ(load, (CommandTraits{.handles = 1,
                                 .returns_handle = true,
                                 .flushes = false,
                                 .is_long = false,
                                 .carries_another = false,
                                 .stores = Stores::never}));
}

TEST(CommandTraits, OfTheEndOfASequence_TellThatItFlushes) {
  EXPECT_TRUE(traits_of(TpmVersion::tpm20, CommandCode{0x13E}).flushes);
}

TEST(CommandTraits, OfAnUnknownCode_AreThoseOfOneThatStores) {
  CommandTraits unknown{.handles = 0,
                        .returns_handle = false,
                        .flushes = false,
                        .is_long = false,
                        .carries_another = false,
                        .stores = Stores::always};

  EXPECT_EQ(traits_of(TpmVersion::tpm20, CommandCode{0x20000001}), unknown);
  EXPECT_EQ(traits_of(TpmVersion::tpm12, CommandCode{0xFFFF}), unknown);
}

}  // namespace
}  // namespace vtpm
