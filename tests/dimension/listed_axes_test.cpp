#include "inn/dimension/listed_axes.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inn/dimension/channel_places.h"
#include "network_builder.h"

namespace inn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// x [2, 3, 4, 4] by a convolution to 6 channels, and one to 5.
AnalysedNetwork two_convolutions() {
  test::NetworkBuilder builder;
  const auto x = builder.input("x", {2, 3, 4, 4});
  const auto y = builder.call("aten::conv2d", "", {x, builder.parameter("first.weight", {6, 3, 3, 3})});
  const auto z = builder.call("aten::conv2d", "", {y, builder.parameter("second.weight", {5, 6, 1, 1})});
  return analyse(builder.finish(z));
}

TEST(ListedAxes, HoldForKernelTapsToo) {
  const auto source = two_convolutions();
  EXPECT_THAT(unlisted_axes(source), IsEmpty());
  const auto& taps = source.groups.groups[source.groups.find("first.weight[2]")];
  EXPECT_TRUE(taps.positions);
  EXPECT_EQ(taps.width, 3);
  EXPECT_EQ(taps.pinned, "aten::conv2d: not a channel dimension (spatial or index)");
  EXPECT_THAT(source.groups.select({"first"}), testing::SizeIs(1));
  EXPECT_THROW(source.groups.select({"first.weight[2]"}), std::invalid_argument);
}

TEST(ListedAxes, TellOfAGroupThatIsMissing) {
  auto source = two_convolutions();
  source.groups.groups.erase(source.groups.groups.begin() +
                             static_cast<int64_t>(source.groups.find("first")));
  EXPECT_THAT(unlisted_axes(source),
              ElementsAre("6 of the 6 positions in axis 0 of 'first.weight' are in no group",
                          "6 of the 6 positions in axis 1 of 'second.weight' are in no group"));
}

TEST(ListedAxes, TellOfMembersThatAreWrong) {
  auto source = two_convolutions();
  auto& group = source.groups.groups[source.groups.find("first")];
  group.members[0].offset = 1;
  group.name = "second";
  EXPECT_THAT(unlisted_axes(source),
              testing::IsSupersetOf(
                  {std::string("group 'second': its member in axis 0 of 'first.weight' exceeds the axis"),
                   std::string("1 of the 6 positions in axis 0 of 'first.weight' are in no group")}));
}

TEST(RowsAt, HoldBothPartsOfComplexNumbers) {
  const auto numbers = at::randn({3, 4, 2}, at::kComplexDouble);
  const auto rows = rows_at(numbers, 1, {0, 1, 4, 1}, 4);
  EXPECT_TRUE(rows.is_floating_point());
  EXPECT_EQ(rows.sizes(), at::IntArrayRef({4, 12}));
  EXPECT_TRUE(at::allclose(rows.square().sum(1), numbers.abs().square().sum({0, 2})));
}

}  // namespace
}  // namespace inn
