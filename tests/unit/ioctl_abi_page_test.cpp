// docs/ioctl_abi.md against the control table.
#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include <bit>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "ctl/control_table.h"
#include "tests/support/source_tree.h"

namespace vtpm {
namespace {

std::string phases_of(const ControlRow& row) {
  std::string text;
  for (Phase phase : row.phases) {
    text += (text.empty() ? "" : ", ") + std::string(name(phase));
  }
  return text;
}

// The row as the page has it.
std::string line_of(const ControlRow& row) {
  static const std::map<Turn, std::string> kTurns = {
      {Turn::at_once, "no"}, {Turn::after_commands, "yes"}, {Turn::as_command, "yes, is one"}};
  static const std::map<Privilege, std::string> kCallers = {{Privilege::anyone, "anyone"},
                                                            {Privilege::observer, "observer"},
                                                            {Privilege::raw_user, "raw"},
                                                            {Privilege::control, "control"}};
  std::string bit = row.capability == 0 ? "" : std::to_string(std::countr_zero(row.capability));
  char number[16];  // NOLINT: for snprintf
  static_cast<void>(std::snprintf(number, sizeof(number), "0x%08x", row.number));
  return "| " + std::string(row.name) + " | " + number + " | " +
         std::to_string(_IOC_SIZE(row.number)) + " | " + phases_of(row) + " | " +
         kTurns.at(row.turn) + " | " + kCallers.at(row.privilege) + " | " + bit + " |\n";
}

TEST(IoctlAbiPage, Table_IsTheControlTable) {
  std::ostringstream page;
  page << std::ifstream(source_file("docs/ioctl_abi.md")).rdbuf();
  std::string table;
  for (const ControlRow& row : control_table()) {
    table += line_of(row);
  }

  EXPECT_NE(page.str().find(table), std::string::npos) << "the page should have:\n" << table;
}

}  // namespace
}  // namespace vtpm
