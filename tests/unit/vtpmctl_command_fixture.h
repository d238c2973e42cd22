// Whole commands of vtpmctl on a machine and a device made for the test.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "ctl/tool/cli/commands.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/vtpmctl_fixture.h"

namespace vtpm {

class VtpmctlCommand : public testing::Test {
 protected:
  VtpmctlCommand() {
    std::filesystem::create_directories(root_ / "dev");
    std::filesystem::create_directories(root_ / "class/vtpm7");
    std::ofstream(root_ / "dev/vtpmctl7") << "";
  }

  int run(std::vector<const char*> words) {
    words.insert(words.begin(), "vtpmctl");
    auto parsed = parse_command_line(static_cast<int>(words.size()), words.data(), out_, err_);
    EXPECT_TRUE(parsed.arguments.has_value()) << err_.str();
    Host host{{(root_ / "dev").string(), (root_ / "class").string()},
              instances_,
              *services_,
              run_,
              false,
              path("uevent"),
              [this](const std::string& path) { return open(path); },
              in_,
              out_,
              err_};
    return run_command(*parsed.arguments, host);
  }
  // `vtpmctl state WORDS...`, with what it said alone in out_ and err_.
  int state(const std::vector<std::string>& words) {
    std::vector<const char*> all{"state"};
    for (const std::string& word : words) {
      all.push_back(word.c_str());
    }
    out_.str("");
    err_.str("");
    return run(all);
  }
  Result<IoctlFunction> open(const std::string& node) {
    opened_ = node;
    return std::filesystem::exists(node) ? Result<IoctlFunction>(device_.function())
                                         : system_failure("cannot open " + node, ENOENT);
  }
  std::string path(const char* name) const { return (root_ / name).string(); }

  TemporaryDirectory directory_;
  std::filesystem::path root_ = directory_.path();
  InstancePaths instances_{path("etc"), path("lib"), path("run")};
  // Programs that the command ran, and what they are to say.
  std::vector<std::vector<std::string>> ran_;
  Ran answer_{0, ""};
  RunProgram run_ = [this](const std::vector<std::string>& words) {
    ran_.push_back(words);
    return answer_;
  };
  std::unique_ptr<Services> services_ = make_services(true, run_, instances_);
  AnsweringDevice device_;
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream err_;
  std::string opened_;
};

}  // namespace vtpm
