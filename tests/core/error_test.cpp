#include "inn/core/error.h"

#include <gtest/gtest.h>

namespace inn {
namespace {

TEST(Error, NamesWhereAndWhat) {
  try {
    raise("resampling", "Group '{}': width must be in [1, {}] but got {}.", "conv1", 64, 80);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "[resampling] Group 'conv1': width must be in [1, 64] but got 80.");
  }
}

TEST(Error, RequireThrowsTheTypeItIsGiven) {
  EXPECT_NO_THROW(require(true, "core", "never"));
  EXPECT_THROW(require<std::out_of_range>(false, "core", "no"), std::out_of_range);
}

TEST(NearestNames, OrdersByEditDistance) {
  EXPECT_EQ(nearest_names("layer1.conv", {"fc", "layer2.conv", "layer1.conv1"}),
            " Did you mean 'layer1.conv1', 'layer2.conv' or 'fc'?");
  EXPECT_EQ(nearest_names("x", {"y"}), " Did you mean 'y'?");
  EXPECT_EQ(nearest_names("x", {}), " There are none.");
}

}  // namespace
}  // namespace inn
