// docs/ioctl_abi.md against the control table.
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <vtpm/ioctl.h>

#include <bit>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "ctl/control/ioctl_codec.h"
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
std::string line_of(const IoctlRow& ioctl) {
  const ControlRow& row = ioctl.row();
  static const std::map<Turn, std::string> kTurns = {
      {Turn::at_once, "no"}, {Turn::after_commands, "yes"}, {Turn::as_command, "yes, is one"}};
  static const std::map<Privilege, std::string> kCallers = {{Privilege::anyone, "anyone"},
                                                            {Privilege::observer, "observer"},
                                                            {Privilege::raw_user, "raw"},
                                                            {Privilege::control, "control"}};
  std::string bit = row.capability == 0 ? "" : std::to_string(std::countr_zero(row.capability));
  char number[16];  // NOLINT: for snprintf
  static_cast<void>(std::snprintf(number, sizeof(number), "0x%08x", ioctl.number));
  return "| " + std::string(row.name) + " | " + number + " | " +
         std::to_string(_IOC_SIZE(ioctl.number)) + " | " + phases_of(row) + " | " +
         kTurns.at(row.turn) + " | " + kCallers.at(row.privilege) + " | " + bit + " |\n";
}

std::string the_page() {
  std::ostringstream page;
  page << std::ifstream(source_file("docs/ioctl_abi.md")).rdbuf();
  return page.str();
}

// A field as the page has it, between the structure's lines.
std::string line_of(std::string_view way, size_t offset, size_t size, std::string_view name) {
  return "| | " + std::string(way) + " | " + std::to_string(offset) + " | " + std::to_string(size) +
         " | " + std::string(name) + " |\n";
}
// NOLINTBEGIN(cppcoreguidelines-macro-usage, bugprone-macro-parentheses): offsetof takes names
#define IN(structure, field) \
  line_of("in", offsetof(structure, req.field), sizeof(structure{}.req.field), #field)
#define OUT(structure, field) \
  line_of("out", offsetof(structure, resp.field), sizeof(structure{}.resp.field), #field)
#define ONLY_OUT(structure, field) \
  line_of("out", offsetof(structure, field), sizeof(structure{}.field), #field)
#define HEAD(structure) "| " #structure " | | | " + std::to_string(sizeof(structure)) + " | |\n"
// NOLINTEND(cppcoreguidelines-macro-usage, bugprone-macro-parentheses)

std::string structure_lines() {
  return HEAD(vtpm_capability) + line_of("out", 0, sizeof(vtpm_capability), "VTPM_CAP_*") +
         HEAD(vtpm_result) + ONLY_OUT(vtpm_result, tpm_result) +
         //
         HEAD(vtpm_init) + IN(vtpm_init, init_flags) + OUT(vtpm_init, tpm_result) +
         //
         HEAD(vtpm_established) + ONLY_OUT(vtpm_established, tpm_result) +
         ONLY_OUT(vtpm_established, bit) + ONLY_OUT(vtpm_established, pad) +
         //
         HEAD(vtpm_locality) + IN(vtpm_locality, loc) + OUT(vtpm_locality, tpm_result) +
         //
         HEAD(vtpm_hash_data) + IN(vtpm_hash_data, length) + IN(vtpm_hash_data, data) +
         OUT(vtpm_hash_data, tpm_result) +
         //
         HEAD(vtpm_get_state) + IN(vtpm_get_state, state_flags) + IN(vtpm_get_state, type) +
         IN(vtpm_get_state, offset) + OUT(vtpm_get_state, tpm_result) +
         OUT(vtpm_get_state, state_flags) + OUT(vtpm_get_state, totlength) +
         OUT(vtpm_get_state, length) + OUT(vtpm_get_state, data) +
         //
         HEAD(vtpm_set_state) + IN(vtpm_set_state, state_flags) + IN(vtpm_set_state, type) +
         IN(vtpm_set_state, length) + IN(vtpm_set_state, data) + OUT(vtpm_set_state, tpm_result) +
         //
         HEAD(vtpm_config) + ONLY_OUT(vtpm_config, tpm_result) + ONLY_OUT(vtpm_config, flags) +
         //
         HEAD(vtpm_buffersize) + IN(vtpm_buffersize, buffersize) +
         OUT(vtpm_buffersize, tpm_result) + OUT(vtpm_buffersize, buffersize) +
         OUT(vtpm_buffersize, minsize) + OUT(vtpm_buffersize, maxsize) +
         //
         HEAD(vtpm_info) + IN(vtpm_info, flags) + IN(vtpm_info, offset) + IN(vtpm_info, pad) +
         OUT(vtpm_info, tpm_result) + OUT(vtpm_info, totlength) + OUT(vtpm_info, length) +
         OUT(vtpm_info, buffer) +
         //
         HEAD(vtpm_lock_storage) + IN(vtpm_lock_storage, retries) +
         OUT(vtpm_lock_storage, tpm_result);
}

std::string own_structure_lines() {
  return HEAD(vtpm_execute) + IN(vtpm_execute, locality) + IN(vtpm_execute, length) +
         IN(vtpm_execute, data) + OUT(vtpm_execute, tpm_result) + OUT(vtpm_execute, length) +
         OUT(vtpm_execute, data) +
         //
         HEAD(vtpm_status) + ONLY_OUT(vtpm_status, tpm_result) + ONLY_OUT(vtpm_status, phase) +
         ONLY_OUT(vtpm_status, version) + ONLY_OUT(vtpm_status, locality) +
         ONLY_OUT(vtpm_status, flags) + ONLY_OUT(vtpm_status, pid) +
         ONLY_OUT(vtpm_status, commands) + ONLY_OUT(vtpm_status, opener_pid) +
         ONLY_OUT(vtpm_status, reserved) + ONLY_OUT(vtpm_status, state) +
         ONLY_OUT(vtpm_status, reason) +
         //
         HEAD(vtpm_details) + ONLY_OUT(vtpm_details, tpm_result) + ONLY_OUT(vtpm_details, flags) +
         ONLY_OUT(vtpm_details, uptime) + ONLY_OUT(vtpm_details, storage_failure_age) +
         ONLY_OUT(vtpm_details, lockout_failed) + ONLY_OUT(vtpm_details, lockout_limit) +
         ONLY_OUT(vtpm_details, lockout_interval) + ONLY_OUT(vtpm_details, lockout_recovery) +
         ONLY_OUT(vtpm_details, program) + ONLY_OUT(vtpm_details, opener) +
         ONLY_OUT(vtpm_details, storage_failure) +
         //
         HEAD(vtpm_space) + ONLY_OUT(vtpm_space, id) + ONLY_OUT(vtpm_space, commands) +
         ONLY_OUT(vtpm_space, pid) + ONLY_OUT(vtpm_space, uid) + ONLY_OUT(vtpm_space, objects) +
         ONLY_OUT(vtpm_space, sessions) +
         //
         HEAD(vtpm_spaces) + IN(vtpm_spaces, after) + OUT(vtpm_spaces, tpm_result) +
         OUT(vtpm_spaces, count) + OUT(vtpm_spaces, more) + OUT(vtpm_spaces, pad) +
         OUT(vtpm_spaces, spaces) +
         //
         HEAD(vtpm_version) + IN(vtpm_version, version) + OUT(vtpm_version, tpm_result);
}

TEST(IoctlAbiPage, Structures_AreTheHeaders) {
  std::string table = structure_lines() + own_structure_lines();

  EXPECT_NE(the_page().find(table), std::string::npos) << "the page should have:\n" << table;
}

TEST(IoctlAbiPage, Table_IsTheControlTable) {
  std::string table;
  for (const IoctlRow& ioctl : ioctl_table()) {
    table += line_of(ioctl);
  }

  EXPECT_NE(the_page().find(table), std::string::npos) << "the page should have:\n" << table;
}

}  // namespace
}  // namespace vtpm
