// Networks in one dtype, whatever dtypes they held.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/nn/modules.h>

#include "inn/network/convert_dtype.h"
#include "inn/network/files.h"

namespace inn {
namespace {

constexpr double kFloat64Rounding = 1e-12;

/// A linear layer in one dtype whose root mean square is taken in another, with a mask, indices and a complex
/// filter.
struct TwoDtypesImpl : torch::nn::Module {
  TwoDtypesImpl(at::ScalarType weights, at::ScalarType norms) : norms(norms) {
    const auto parameter = [&](const char* name, at::IntArrayRef sizes, at::ScalarType dtype) {
      return register_parameter(name, at::randn(sizes).to(dtype), false);
    };
    first = parameter("first", {6, 4}, weights);
    second = parameter("second", {3, 6}, weights);
    gain = parameter("gain", {6}, norms);
    filter = register_parameter("filter", at::randn({6}, at::kComplexFloat), false);
    mask = register_buffer("mask", at::tensor({1, 0, 1, 1, 1, 0}).to(at::kBool));
    order = register_buffer("order", at::tensor({5, 4, 3, 2, 1, 0}).to(at::kLong));
  }
  at::Tensor forward(const at::Tensor& x) {
    auto y = at::linear(x, first).to(norms);
    y = y * at::rsqrt(y.square().mean(-1, true) + 1e-6) * gain;
    y = at::real(y.to(at::kFloat).to(at::kComplexFloat) * filter)
            .masked_fill(mask, 0.5)
            .index_select(1, order);
    return at::linear((y + at::zeros({6}, x.options())).to(x.scalar_type()), second);
  }
  /// What it computes in one dtype throughout.
  at::Tensor in_float64(const at::Tensor& x) const {
    auto y = at::linear(x, first.to(at::kDouble));
    y = y * at::rsqrt(y.square().mean(-1, true) + 1e-6) * gain.to(at::kDouble);
    y = at::real(y.to(at::kComplexDouble) * filter.to(at::kComplexDouble));
    return at::linear(y.masked_fill(mask, 0.5).index_select(1, order), second.to(at::kDouble));
  }
  at::ScalarType norms;
  at::Tensor first, second, gain, filter, mask, order;
};

TEST(Convert, RunsInOneDtypeThroughout) {
  for (const auto& [weights, norms] : {std::pair{at::kBFloat16, at::kFloat}, std::pair{at::kFloat, at::kHalf},
                                       std::pair{at::kHalf, at::kFloat}, std::pair{at::kFloat, at::kFloat}}) {
    TwoDtypesImpl module(weights, norms);
    Network network = trace(
        module, [&](const at::Tensor& x) { return module.forward(x); }, at::randn({5, 4}).to(weights));
    network.to(at::kDouble);
    network.validate();
    const auto x = at::randn({5, 4}, at::kDouble);
    const auto y = network.forward(x);
    ASSERT_EQ(y.scalar_type(), at::kDouble);
    EXPECT_TRUE(at::allclose(y, module.in_float64(x), kFloat64Rounding, kFloat64Rounding))
        << c10::toString(weights) << " " << c10::toString(norms);
    network.to(at::kFloat);
    EXPECT_EQ(network.forward(x.to(at::kFloat)).scalar_type(), at::kFloat);
    const auto dtype_of = [&](const char* name) {
      return network.state[network.find_state(name)].tensor.scalar_type();
    };
    EXPECT_EQ(dtype_of("filter"), at::kComplexFloat);
    EXPECT_EQ(dtype_of("mask"), at::kBool);
    EXPECT_EQ(dtype_of("order"), at::kLong);
  }
}

TEST(Convert, KeepsIntegersAndBooleansAndThePrecisionOfComplexNumbers) {
  for (const auto kept : {at::kBool, at::kByte, at::kInt, at::kLong})
    EXPECT_EQ(converted_dtype(kept, at::kHalf), kept);
  EXPECT_EQ(converted_dtype(at::kBFloat16, at::kDouble), at::kDouble);
  EXPECT_EQ(converted_dtype(at::kComplexFloat, at::kDouble), at::kComplexDouble);
  EXPECT_EQ(converted_dtype(at::kComplexDouble, at::kFloat), at::kComplexFloat);
  EXPECT_EQ(converted_dtype(at::kComplexFloat, at::kHalf), at::kComplexHalf);
}

}  // namespace
}  // namespace inn
