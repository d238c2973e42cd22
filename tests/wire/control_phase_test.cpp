// Every control request in every phase on both nodes, as the kernel sees it: possible or refused as
// the table says, one reply of the size that the request has, or the result code alone.
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <vtpm/ioctl.h>

#include <algorithm>
#include <cstring>

#include "tests/support/fake_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {
namespace {

enum class Through { raw_node, control_node };

struct Case {
  IoctlRow row;
  Phase phase;
  Through node;
};

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const IoctlRow& row : ioctl_table()) {
    for (Phase phase : {Phase::off, Phase::on, Phase::failed}) {
      for (Through node : {Through::raw_node, Through::control_node}) {
        cases.push_back({row, phase, node});
      }
    }
  }
  return cases;
}

class RowInPhase : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (GetParam().phase == Phase::on) {
      ASSERT_TRUE(wired.tpm.power_on());
    } else if (GetParam().phase == Phase::failed) {
      engine.fail_power_on = true;
      ASSERT_FALSE(wired.tpm.power_on());
    }
    ASSERT_EQ(wired.tpm.phase(), GetParam().phase);
    file = kernel.open_file();
  }

  // All zeroes but for the blob's kind where there is one, which is never zero.
  static Bytes request(const IoctlRow& row) {
    Bytes in((_IOC_DIR(row.number) & _IOC_WRITE) != 0 ? _IOC_SIZE(row.number) : 0);
    if (row.number == VTPM_GET_STATEBLOB || row.number == VTPM_SET_STATEBLOB) {
      uint32_t kind = VTPM_BLOB_TYPE_PERMANENT;
      std::memcpy(in.data() + sizeof(uint32_t), &kind, sizeof(kind));
    }
    return in;
  }

  MemoryStore store;
  FakeEngine engine{store};
  WiredTpm wired{engine, store};
  WireKernel& kernel = GetParam().node == Through::raw_node ? wired.kernel : wired.control_kernel;
  uint64_t file = 0;
};

TEST_P(RowInPhase, Request_IsPossibleOrRefusedAsTheTableSays) {
  const IoctlRow& row = GetParam().row;
  uint32_t size = _IOC_SIZE(row.number);

  WireReply reply = kernel.ioctl(file, row.number, request(row), size);

  ASSERT_EQ(reply.error, 0);
  bool possible = std::ranges::find(row.row().phases, GetParam().phase) != row.row().phases.end();
  EXPECT_EQ(reply.body == result_only(VTPM_RESULT_BAD_ORDINAL), !possible);
  EXPECT_TRUE(reply.body.size() == size || reply.body.size() == sizeof(vtpm_result))
      << reply.body.size();
  kernel.release(file);
  EXPECT_FALSE(kernel.answered(0)) << "there was a reply too many";
}

INSTANTIATE_TEST_SUITE_P(Control, RowInPhase, testing::ValuesIn(every_case()),
                         [](const auto& test) {
                           return std::string(test.param.row.row().name) + "_" +
                                  std::string(name(test.param.phase)) +
                                  (test.param.node == Through::raw_node ? "_raw" : "_control");
                         });

}  // namespace
}  // namespace vtpm
