#include "inn/weight_function/sample.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "finite_difference.h"
#include "inn/weight_function/interpolation_kernel.h"

namespace inn {
namespace {

constexpr double product_tolerance = 1e-12;  // some products of numbers of order 1

AxisMap drawn(int64_t m, int64_t n) { return AxisMap::dense(at::randn({m, n}, at::kDouble)); }

TEST(Sample, AppliesEveryMapToItsAxis) {
  const auto x = at::randn({4, 6, 3, 5}, at::kDouble);
  const std::vector<MappedAxis> maps = {{0, drawn(7, 4)}, {-1, drawn(2, 5)}, {1, drawn(4, 2), 3, 1}};
  const auto got = sample_tensor(x, maps);
  EXPECT_EQ(got.sizes(), (std::vector<int64_t>{7, 12, 3, 2}));
  const auto by_hand = at::einsum("aA,nN,bB,AoNkB->aonkb", {maps[0].map.to_dense(), maps[2].map.to_dense(),
                                                            maps[1].map.to_dense(), x.view({4, 3, 2, 3, 5})});
  EXPECT_LE((got - by_hand.reshape({7, 12, 3, 2})).abs().max().item<double>(), product_tolerance);
}

TEST(Sample, KeepsTheOrderOfMapsOnOneAxis) {
  const auto x = at::randn({6, 2}, at::kDouble);
  const auto grow = drawn(9, 6), shrink = drawn(2, 9);
  const auto got = sample_tensor(x, std::vector<MappedAxis>{{0, grow}, {-2, shrink}});
  EXPECT_LE((got - shrink.to_dense().matmul(grow.to_dense()).matmul(x)).abs().max().item<double>(),
            product_tolerance);
}

TEST(Sample, WithoutMapsIsTheTensorItself) {
  const auto x = at::randn({3, 4});
  EXPECT_TRUE(sample_tensor(x, {}).is_same(x));
  EXPECT_TRUE(
      sample_tensor(x, std::vector<MappedAxis>{{0, AxisMap::identity(3)}, {1, AxisMap::identity(2), 2, 1}})
          .is_same(x));
}

TEST(Sample, GradientsReachControlPointsAndPointsOfEveryAxis) {
  const auto x = at::randn({4, 5, 2}, at::kDouble);
  const auto p = std::get<0>(at::rand({3}, at::kDouble).sort()),
             q = std::get<0>(at::rand({6}, at::kDouble).sort());
  const auto f = [](const std::vector<at::Tensor>& in) {
    return sample_tensor(in[0],
                         std::vector<MappedAxis>{{0, interpolation_map(find_kernel("cubic"), 4, in[1])},
                                                 {1, interpolation_map(find_kernel("bspline"), 5, in[2])}});
  };
  test::expect_gradients(f, {x, p, q});
}

TEST(Sample, RefusesAnAxisThatTheTensorDoesNotHave) {
  EXPECT_THROW(sample_tensor(at::ones({3}), std::vector<MappedAxis>{{1, AxisMap::identity(3)}}),
               std::invalid_argument);
  EXPECT_THROW(sample_tensor(at::Tensor(), {}), std::invalid_argument);
}

}  // namespace
}  // namespace inn
