// Rows multiplied by the matrices of their experts, at the widths and dtypes that torch's kernel refuses too.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inn/network/files.h"
#include "temporary_folder.h"

namespace inn {
namespace {

/// y [10, n] = rows [10, k] by experts [3, k, n]: rows 0 to 3 by the first, none by the second, 4 to 8 by the
/// last, and row 9 by none.
Network product(int64_t k, int64_t n, c10::ScalarType dtype) {
  at::manual_seed(3);
  Network network;
  const auto add = [&](const char* name, c10::ScalarType type, std::vector<int64_t> sizes) {
    return network.add_value({.name = name, .dtype = type, .sizes = std::move(sizes)});
  };
  const auto hold = [&](const char* name, const at::Tensor& tensor, StateEntry::Kind kind) {
    const ValueId id = add(name, tensor.scalar_type(), tensor.sizes().vec());
    network.state.push_back({.name = name, .kind = kind, .value = id, .tensor = tensor});
    return id;
  };
  const ValueId rows = add("rows", dtype, {10, k});
  network.inputs = {rows};
  network.signature.argument_names = {"rows"};
  const ValueId experts = hold("experts", at::randn({3, k, n}).to(dtype), StateEntry::Kind::parameter);
  const ValueId ends = hold("ends", at::tensor({4, 4, 9}, at::kInt), StateEntry::Kind::buffer);
  const ValueId result = add("y", dtype, {10, n});
  network.calls.push_back({"aten::_grouped_mm",
                           "",
                           {ValueRef{rows}, ValueRef{experts}, ValueRef{ends}, Argument(), Argument()},
                           {{false, {result}}}});
  network.outputs = {ValueRef{result}};
  return network;
}

/// Each row by itself, in float64.
at::Tensor row_by_row(const at::Tensor& rows, const at::Tensor& experts) {
  const auto expert = at::tensor({0, 0, 0, 0, 2, 2, 2, 2, 2});
  const auto chosen = experts.to(at::kDouble).index_select(0, expert);
  const auto known = at::matmul(rows.narrow(0, 0, 9).to(at::kDouble).unsqueeze(1), chosen).squeeze(1);
  return at::cat({known, at::zeros({1, experts.size(2)}, at::kDouble)});
}

class GroupedProduct : public testing::TestWithParam<std::tuple<int64_t, int64_t, c10::ScalarType, double>> {
};

TEST_P(GroupedProduct, MultipliesEachRowByItsExpertsMatrix) {
  const auto [k, n, dtype, tolerance] = GetParam();
  const auto network = product(k, n, dtype);
  const auto rows = at::randn({10, k}).to(dtype);
  const auto y = network.forward(rows);
  EXPECT_EQ(y.scalar_type(), dtype);
  EXPECT_TRUE(
      at::allclose(y.to(at::kDouble), row_by_row(rows, network.state[0].tensor), tolerance, tolerance));
}

// The second tolerance is that of a number of eight bits, of which some are summed.
INSTANTIATE_TEST_SUITE_P(WidthsAndDtypes, GroupedProduct,
                         testing::Values(std::tuple{8, 4, at::kFloat, 1e-5},
                                         std::tuple{7, 5, at::kFloat, 1e-5},
                                         std::tuple{7, 5, at::kDouble, 1e-12},
                                         std::tuple{8, 8, at::kBFloat16, 3e-2},
                                         std::tuple{3, 1, at::kBFloat16, 3e-2}));

TEST(GroupedProductOfTorch, IsTheSameWhereItsKernelTakesTheWidths) {
  const auto network = product(8, 4, at::kFloat);
  const auto rows = at::randn({10, 8});
  const auto torchs = at::_grouped_mm(rows, network.state[0].tensor, network.state[1].tensor);
  EXPECT_TRUE(at::allclose(network.forward(rows).narrow(0, 0, 9), torchs.narrow(0, 0, 9), 1e-6, 1e-6));
}

TEST(GroupedProductOfTorch, HasTheGradientsOfEachRowByItself) {
  const auto network = product(7, 5, at::kDouble);
  const auto direction = at::randn({10, 5}, at::kDouble);
  std::vector<at::Tensor> gradients;
  const auto rows = at::randn({10, 7}, at::kDouble);
  for (const bool oracle : {false, true}) {
    const auto x = rows.clone().requires_grad_(true);
    const auto experts = network.state[0].tensor.clone().requires_grad_(true);
    const std::vector<at::Tensor> state{experts, network.state[1].tensor};
    const auto y = oracle ? row_by_row(x, experts) : network.forward({x}, state, {}).at(0).toTensor();
    (y * direction).sum().backward();
    gradients.insert(gradients.end(), {x.grad(), experts.grad()});
  }
  EXPECT_TRUE(at::allclose(gradients[0], gradients[2], 1e-12, 1e-12));
  EXPECT_TRUE(at::allclose(gradients[1], gradients[3], 1e-12, 1e-12));
}

TEST(GroupedProductOfTorch, RefusesEndsThatFall) {
  auto network = product(8, 4, at::kFloat);
  network.state[1].tensor = at::tensor({4, 3, 9}, at::kInt);
  try {
    network.forward(at::randn({10, 8}));
    FAIL() << "it ran";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(),
                testing::HasSubstr("offs must increase from 0 to at most 10 but element 1 is 3"));
  }
}

TEST(GroupedProductInAFile, IsPaddedToWhatTorchsKernelTakes) {
  const TemporaryFolder folder;
  for (const auto& [k, n] : {std::pair{8, 4}, std::pair{7, 4}, std::pair{8, 5}, std::pair{7, 5}}) {
    const auto network = product(k, n, at::kFloat);
    write_pt2(network, folder / "product.pt2");
    const auto read = read_pt2(folder / "product.pt2");
    const auto rows = at::randn({10, k});
    EXPECT_TRUE(at::allclose(read.forward(rows), network.forward(rows), 1e-6, 1e-6));
    for (const auto& call : read.calls) {
      if (call.op != "aten::_grouped_mm") continue;
      for (const size_t operand : {0, 1})
        EXPECT_EQ(read.values[call.arguments[operand].value()].sizes.back() % 4, 0) << k << " by " << n;
    }
    EXPECT_EQ(read.calls.size() == 1, k == 8 && n == 4);
  }
}

}  // namespace
}  // namespace inn
