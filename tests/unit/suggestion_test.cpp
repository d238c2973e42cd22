#include "ctl/config/suggestion.h"

#include <gtest/gtest.h>

namespace vtpm {
namespace {

const std::vector<std::string> kWords = {"status", "start", "stop", "state", "--buffer-size"};

TEST(Nearest, Slip_IsTheWordThatWasMeant) {
  EXPECT_EQ(nearest("sttaus", kWords), "status");
  EXPECT_EQ(nearest("statu", kWords), "status");
  EXPECT_EQ(nearest("stopp", kWords), "stop");
  EXPECT_EQ(nearest("--bufer-size", kWords), "--buffer-size");
}

TEST(Nearest, SomethingElse_IsNothing) {
  EXPECT_EQ(nearest("destroy", kWords), std::nullopt);
  EXPECT_EQ(nearest("", kWords), std::nullopt);
  EXPECT_EQ(nearest(std::string(5000, 's'), kWords), std::nullopt);
}

TEST(Nearest, NoCandidates_IsNothing) {
  EXPECT_EQ(nearest("status", {}), std::nullopt);
}

}  // namespace
}  // namespace vtpm
