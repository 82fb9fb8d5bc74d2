// What a thread of a graphics processor does, done here in a loop; and on such a processor, where there is
// one.
#include "sampling_element.h"

#include <ATen/ATen.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "inn/axis_map/axis_map.h"
#include "sparse_sampling.h"

namespace inn {
namespace {

using sampling_kernel::Layout;
using sampling_kernel::SparseRows;

/// A map of 4 rows from width 5, by hand: a row of three entries, an empty one, one entry, two of one column.
struct Rows {
  at::Tensor begin = at::tensor({0, 3, 3, 4, 6}, at::kLong),
             column = at::tensor({4, 0, 2, 1, 3, 3}, at::kLong);
  at::Tensor value = at::tensor({0.5, -1.0, 2.0, 3.0, 0.25, 0.75}, at::kDouble);

  at::Tensor matrix(bool weighted = true) const {
    const double v[6] = {0.5, -1.0, 2.0, 3.0, 0.25, 0.75};
    at::Tensor dense = at::zeros({4, 5}, at::kDouble);
    const int64_t row[6] = {0, 0, 0, 2, 3, 3}, col[6] = {4, 0, 2, 1, 3, 3};
    for (int e = 0; e < 6; ++e) dense[row[e]][col[e]] += weighted ? v[e] : 1.0;
    return dense;
  }
  template <class Real>
  SparseRows<Real> of(at::Tensor& held, bool weighted = true) const {
    held = value.to(c10::CppTypeToScalarType<Real>::value);
    return {4, 5, begin.const_data_ptr<int64_t>(), column.const_data_ptr<int64_t>(),
            weighted ? held.const_data_ptr<Real>() : nullptr};
  }
};

template <class T, class Real>
void expect_elements(double tolerance) {
  const Rows rows;
  at::Tensor held;
  const Layout layout{2, 3, 2};
  constexpr SparseRows<Real> kIdentity{1, 1, nullptr, nullptr, nullptr};
  for (const bool weighted : {true, false})
    for (const auto& [outer, inner] : {std::pair{true, true}, {true, false}, {false, true}}) {
      const SparseRows<Real> map = rows.of<Real>(held, weighted);
      const SparseRows<Real> first = outer ? map : kIdentity, second = inner ? map : kIdentity;
      const at::Tensor a = outer ? rows.matrix(weighted) : at::eye(1, at::kDouble);
      const at::Tensor b = inner ? rows.matrix(weighted) : at::eye(1, at::kDouble);
      const at::Tensor x = at::randn({2, a.size(1), 3, b.size(1), 2}).to(c10::CppTypeToScalarType<T>::value);
      const at::Tensor expected = at::einsum("jn,kc,pnbcs->pjbks", {a, b, x.to(at::kDouble)}).contiguous();
      for (int64_t i = 0; i < expected.numel(); ++i)
        EXPECT_NEAR(static_cast<double>(
                        sampling_kernel::sampled_element(x.const_data_ptr<T>(), layout, first, second, i)),
                    expected.const_data_ptr<double>()[i],
                    tolerance * (1 + std::abs(expected.const_data_ptr<double>()[i])));
    }
}

TEST(SamplingElement, EqualsDenseProducts) {
  at::manual_seed(1);
  expect_elements<double, double>(1e-14);
  expect_elements<float, float>(1e-6);
  expect_elements<c10::BFloat16, float>(1.0 / 256);  // one rounding to eight bits
  expect_elements<c10::Half, float>(1.0 / 2048);
}

TEST(SamplingElement, PartsOfAllThreadsAreTheGradientOfTheValues) {
  at::manual_seed(2);
  const Rows rows;
  at::Tensor held;
  const auto map = rows.of<double>(held);
  const at::Tensor x = at::randn({3, 5, 7}, at::kDouble), back = at::randn({3, 4, 7}, at::kDouble);
  const int64_t row[6] = {0, 0, 0, 2, 3, 3};
  for (int64_t e = 0; e < 6; ++e) {
    EXPECT_EQ(sampling_kernel::row_of(map, e), row[e]);
    const double expected =
        (back.select(1, row[e]) * x.select(1, rows.column[e].item<int64_t>())).sum().item<double>();
    for (const int64_t threads : {1, 4, 256}) {
      double sum = 0;
      for (int64_t t = 0; t < threads; ++t)
        sum += sampling_kernel::value_gradient_part(x.const_data_ptr<double>(), back.const_data_ptr<double>(),
                                                    3, 7, map, e, t, threads);
      EXPECT_NEAR(sum, expected, 1e-13);
    }
  }
}

TEST(SparseSampling, TransposesInTwoWaysAlike) {
  const Rows rows;
  const SparseAxis map{.axis = 1,
                       .outer = 2,
                       .inner = 3,
                       .rows = 4,
                       .cols = 5,
                       .begin = rows.begin,
                       .column = rows.column,
                       .value = rows.value};
  for (const SparseAxis& back : {transposed(map), transposed_by_sorting(map)}) {
    EXPECT_EQ(back.rows, 5);
    EXPECT_EQ(back.cols, 4);
    EXPECT_TRUE(at::equal(back.begin, at::tensor({0, 1, 2, 3, 5, 6}, at::kLong)));
    EXPECT_TRUE(at::equal(back.column, at::tensor({0, 2, 0, 3, 3, 0}, at::kLong)));
    EXPECT_TRUE(at::equal(back.value, at::tensor({-1.0, 3.0, 2.0, 0.25, 0.75, 0.5}, at::kDouble)));
  }
}

TEST(SparseSampling, OnCudaEqualsThatOfTheCpu) {
  if (!at::hasCUDA()) GTEST_SKIP() << "torch has no CUDA here";
  at::manual_seed(3);
  for (const auto layout : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    const auto x = at::randn({40, 20, 3, 3}, at::kDouble).contiguous(layout).requires_grad_();
    const auto weight = at::rand({30, 4}, at::kDouble).requires_grad_();
    const auto index = at::randint(40, {30, 4}, at::kLong);
    const auto run = [&](c10::Device device) {
      const auto y = apply_both(x.to(device), {0, AxisMap::taps(index, weight, 40).to(device)},
                                {1, AxisMap::select({3, 3, 0, 19, 7}, 20).to(device)});
      auto results = torch::autograd::grad({y.square().sum()}, {x, weight});
      results.push_back(y.cpu());
      return results;
    };
    const auto expected = run(at::kCPU), got = run(at::kCUDA);
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_LE((got[i] - expected[i]).abs().max().item<double>(),
                1e-6 * expected[i].abs().max().item<double>());
  }
}

}  // namespace
}  // namespace inn
