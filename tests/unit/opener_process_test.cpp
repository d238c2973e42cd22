#include "ctl/door/opener_process.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

class OpenerProcessTest : public testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) {
    auto path = std::filesystem::path(proc()) / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::string proc() const { return directory_.path(); }

  TemporaryDirectory directory_;
};

TEST_F(OpenerProcessTest, Thread_IsItsProcessByNumberAndName) {
  write("12/status", "Name:\tCPU 0/KVM\nUmask:\t0022\nTgid:\t10\nPid:\t12\n");
  write("12/comm", "CPU 0/KVM\n");
  write("10/comm", "qemu-system-x86\n");

  OpenerProcess process = process_of_thread(12, proc());

  EXPECT_EQ(process.number, 10);
  EXPECT_EQ(process.name, "qemu-system-x86");
}

TEST_F(OpenerProcessTest, ThreadThatProcDoesNotShow_IsItsOwnNumber) {
  OpenerProcess process = process_of_thread(12, proc());

  EXPECT_EQ(process.number, 12);
  EXPECT_EQ(process.name, "");
}

TEST_F(OpenerProcessTest, NameWithALineThatLooksLikeAnother_IsNotTakenForIt) {
  write("12/status", "Name:\tx Tgid:\t1\nTgid:\t12\n");

  EXPECT_EQ(process_of_thread(12, proc()).number, 12);
}

TEST(OpenerProcess, RealThread_IsThisProcess) {
  OpenerProcess process;
  std::thread([&] { process = process_of_thread(gettid()); }).join();

  EXPECT_EQ(process.number, getpid());
}

}  // namespace
}  // namespace vtpm
