// The names of capabilities against <vtpm/ioctl.h>, as it is written, and the control table.
#include "ctl/tool/device/capabilities.h"

#include <gmock/gmock.h>

#include <bit>
#include <fstream>
#include <regex>
#include <sstream>

#include "ctl/control/control_table.h"
#include "tests/support/source_tree.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::SizeIs;

struct Defined {
  std::vector<std::string> names;
  vtpm_capability mask = 0;
};

// What the header calls VTPM_CAP_NAME (1ull << BIT).
Defined defined_in_the_header() {
  std::ostringstream header;
  header << std::ifstream(source_file("ctl/include/vtpm/ioctl.h")).rdbuf();
  std::string text = header.str();
  const std::regex line("#define VTPM_CAP_(\\w+) \\(1ull << (\\d+)\\)");
  Defined defined;
  for (std::sregex_iterator found(text.begin(), text.end(), line); found != std::sregex_iterator();
       ++found) {
    defined.names.push_back((*found)[1]);
    defined.mask |= vtpm_capability{1} << std::stoi((*found)[2]);
  }
  return defined;
}

TEST(Capabilities, OfTheAbi_HaveItsNames) {
  Defined defined = defined_in_the_header();

  ASSERT_THAT(defined.names, SizeIs(testing::Ge(21)));
  EXPECT_EQ(capability_names(defined.mask), defined.names);
}

TEST(Capabilities, OfTheControlTable_AreNamed) {
  auto names = capability_names(capability_mask());

  EXPECT_THAT(names, SizeIs(std::popcount(capability_mask())));
  EXPECT_THAT(defined_in_the_header().names, IsSupersetOf(names));
}

TEST(Capabilities, ThatNobodyKnows_AreToldByTheirNumber) {
  EXPECT_THAT(capability_names(1ull << 63 | VTPM_CAP_INIT), ElementsAre("INIT", "bit 63"));
}

}  // namespace
}  // namespace vtpm
