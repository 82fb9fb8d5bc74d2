// One pass of the sampling kernel against dense matrix products and finite differences.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "finite_difference.h"
#include "inn/weight_function/interpolation_kernel.h"
#include "inn/weight_function/sample.h"

namespace inn {
namespace {

const std::vector<int64_t> kShape{5, 7, 3, 4};
const std::vector<std::vector<int64_t>> kAxes{{0}, {1}, {3}, {0, 1}, {1, 0}, {1, 2}, {3, 0}, {0, 1, 2}};

/// Some units in the last place of sums of at most 64 products.
double tolerance_of(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return 1e-13;
    case at::kFloat:
      return 1e-5;
    case at::kHalf:
      return 1e-2;
    default:
      return 8e-2;  // bfloat16 has eight bits; the sums of three axes are rounded twice
  }
}

at::Tensor by_matrices(at::Tensor x, const std::vector<MappedAxis>& maps) {
  for (const auto& mapped : maps)
    x = at::tensordot(mapped.map.to_dense(), x, {1}, {mapped.axis}).movedim(0, mapped.axis);
  return x;
}

class Sampling : public testing::TestWithParam<std::string> {
 protected:
  AxisMap map(int64_t n, int64_t m) const {
    const auto points = std::get<0>(at::rand({m}, at::kDouble).sort());
    return interpolation_map(find_kernel(GetParam()), n, points).scale_rows(at::rand({m}, at::kDouble) + 0.5);
  }
  std::vector<MappedAxis> maps(const std::vector<int64_t>& axes, int64_t m) const {
    std::vector<MappedAxis> result;
    for (const int64_t axis : axes) result.push_back({axis, map(kShape[static_cast<size_t>(axis)], m)});
    return result;
  }
};

TEST_P(Sampling, EqualsDenseProductsInEveryDtypeLayoutAxisAndWidth) {
  at::manual_seed(7);
  for (const auto dtype : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf})
    for (const auto layout : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast})
      for (const auto& axes : kAxes)
        for (const int64_t m : {1, 2, 3, 7, 14}) {
          const auto x = at::randn(kShape, at::kDouble).to(dtype).contiguous(layout);
          const auto mapped = maps(axes, m);
          const auto got = sample_tensor(x, mapped);
          const auto expected = by_matrices(x.to(at::kDouble), mapped);
          ASSERT_EQ(got.sizes(), expected.sizes());
          ASSERT_EQ(got.scalar_type(), dtype);
          EXPECT_LE((got.to(at::kDouble) - expected).abs().max().item<double>(),
                    tolerance_of(dtype) * std::max(1.0, expected.abs().max().item<double>()))
              << at::toString(dtype) << " width " << m << " axes " << axes;
          const bool is_sparse = find_kernel(GetParam()).taps > 0;
          EXPECT_TRUE(!is_sparse || got.is_contiguous(layout)) << "axes " << axes;
        }
}

TEST_P(Sampling, GradientsMatchFiniteDifferencesInTensorAndPoints) {
  at::manual_seed(8);
  for (const auto layout : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast})
    for (const auto& axes : kAxes) {
      const auto x = at::randn(kShape, at::kDouble).contiguous(layout);
      std::vector<at::Tensor> inputs{x};
      for (size_t a = 0; a < axes.size(); ++a)
        inputs.push_back(std::get<0>((at::rand({3}, at::kDouble) * 0.9 + 0.05).sort()));
      test::expect_gradients(
          [&](const std::vector<at::Tensor>& in) {
            std::vector<MappedAxis> mapped;
            for (size_t a = 0; a < axes.size(); ++a)
              mapped.push_back({axes[a], interpolation_map(find_kernel(GetParam()),
                                                           kShape[static_cast<size_t>(axes[a])], in[a + 1])});
            return sample_tensor(in[0], mapped);
          },
          inputs);
    }
}

TEST_P(Sampling, SecondGradientsMatchFiniteDifferences) {
  at::manual_seed(9);
  const auto x = at::randn({4, 5, 2}, at::kDouble);
  const auto points = std::get<0>((at::rand({3}, at::kDouble) * 0.9 + 0.05).sort());
  test::expect_gradients(
      [&](const std::vector<at::Tensor>& in) {
        const at::AutoGradMode enabled(true);
        const auto learning = in[0].requires_grad() ? in[0] : in[0].detach().requires_grad_();
        const auto place = in[1].requires_grad() ? in[1] : in[1].detach().requires_grad_();
        const auto y = sample_tensor(
            learning, std::vector<MappedAxis>{{0, interpolation_map(find_kernel(GetParam()), 4, place)},
                                              {1, interpolation_map(find_kernel(GetParam()), 5, place)}});
        const auto first = torch::autograd::grad({y.square().sum()}, {learning, place}, {}, true, true, true);
        return at::cat({first[0].flatten(), first[1].flatten()});
      },
      {x, points});
}

INSTANTIATE_TEST_SUITE_P(Kernels, Sampling, testing::ValuesIn(kernel_names()),
                         [](const auto& info) { return info.param; });

TEST(SamplingKernel, DoesNotDependOnTheNumberOfThreads) {
  at::manual_seed(10);
  // Shapes at which blocks with other borders would be made in another way.
  const auto x = at::randn({512, 80, 3, 3}).requires_grad_();
  const auto points = std::get<0>(at::rand({256}, at::kDouble).sort()).requires_grad_();
  const auto run = [&] {
    const std::vector<MappedAxis> maps{{0, interpolation_map(find_kernel("cubic"), 512, points)},
                                       {1, interpolation_map(find_kernel("cubic"), 80, points)}};
    const auto y = sample_tensor(x, maps);
    auto results = torch::autograd::grad({y.square().sum()}, {x, points});
    results.push_back(y.detach());
    return results;
  };
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = run();
  for (const int count : {2, 3, 16}) {
    at::set_num_threads(count);
    const auto several = run();
    for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], several[i])) << i << ", " << count;
  }
  at::set_num_threads(threads);
}

TEST(SamplingKernel, TakesTensorsWithoutElements) {
  const auto map = interpolation_map(find_kernel("linear"), 5, at::rand({3}, at::kDouble));
  EXPECT_EQ(map.apply(at::zeros({5, 0}), 0).sizes(), (std::vector<int64_t>{3, 0}));
  EXPECT_EQ(map.apply(at::zeros({0, 5}), 1).sizes(), (std::vector<int64_t>{0, 3}));
}

TEST(SamplingKernel, MapsFactorsOfProductsOnTwoAxes) {
  at::manual_seed(11);
  const auto x = at::randn({2 * 5 * 3, 4, 2 * 6}, at::kDouble);
  const auto map = [](int64_t n, int64_t m) {
    return interpolation_map(find_kernel("linear"), n, std::get<0>(at::rand({m}, at::kDouble).sort()));
  };
  const MappedAxis first{0, map(5, 7), 2, 3}, second{2, map(6, 3), 2, 1};
  const auto expected = at::einsum("aA,bB,pAqkrB->paqkrb",
                                   {first.map.to_dense(), second.map.to_dense(), x.view({2, 5, 3, 4, 2, 6})});
  const auto got = apply_both(x, first, second);
  EXPECT_LE((got - expected.reshape({2 * 7 * 3, 4, 2 * 3})).abs().max().item<double>(), 1e-13);
  EXPECT_TRUE(at::equal(got, apply_both(x, second, first)));
}

}  // namespace
}  // namespace inn
