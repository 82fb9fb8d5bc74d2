// Regularizers against closed forms and finite differences.

#include "inn/pruning/regularization.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "finite_difference.h"
#include "inn/pruning/importance.h"
#include "network_builder.h"

namespace inn {
namespace {

using test::NetworkBuilder;

constexpr double kPenaltyRounding = 1e-12;

/// linear(3→4) with bias → batch norm → linear(4→2): the group 'first' has four parameters and two buffers.
AnalysedNetwork regularized_network() {
  NetworkBuilder b(12);
  auto x = b.input("x", {5, 3});
  x = b.call("aten::linear", "", {x, b.parameter("first.weight", {4, 3}), b.parameter("first.bias", {4})});
  x = b.batch_norm("norm", x, 4);
  return analyse(b.finish(b.call("aten::linear", "", {x, b.parameter("second.weight", {2, 4})})));
}

const std::vector<std::string>& members_of_first() {
  static const std::vector<std::string> names{"first.weight", "first.bias", "norm.weight", "norm.bias",
                                              "second.weight"};
  return names;
}

std::vector<at::Tensor> parameters_of_first(const AnalysedNetwork& source) {
  std::vector<at::Tensor> tensors;
  for (const auto& name : members_of_first())
    tensors.push_back(source.network.state[source.network.find_state(name)].tensor);
  return tensors;
}

/// The state of the network with the group's parameters in it.
std::vector<at::Tensor> state_with(const AnalysedNetwork& source, const std::vector<at::Tensor>& parameters) {
  auto tensors = source.network.tensors();
  for (size_t k = 0; k < parameters.size(); ++k)
    tensors[source.network.find_state(members_of_first()[k])] = parameters[k];
  return tensors;
}

/// ‖w_c‖² of each channel, number by number.
std::vector<double> squared_norms(const std::vector<at::Tensor>& parameters) {
  std::vector<double> norms(4, 0);
  for (size_t k = 0; k < parameters.size(); ++k)
    for (int64_t c = 0; c < 4; ++c) {
      const auto slice =
          parameters[k].select(members_of_first()[k] == "second.weight" ? 1 : 0, c).reshape(-1);
      for (int64_t i = 0; i < slice.numel(); ++i) norms[c] += std::pow(slice[i].item<double>(), 2);
    }
  return norms;
}

at::Tensor penalty_of(const AnalysedNetwork& source, const std::string& name,
                      const std::vector<at::Tensor>& parameters) {
  const auto tensors = state_with(source, parameters);
  return find_regularizer(name).penalty(source, {source.groups.find("first")}, tensors);
}

/// The gradients of a scalar in copies of the parameters.
template <class Function>
std::vector<at::Tensor> gradients_of(Function&& function, const std::vector<at::Tensor>& parameters) {
  std::vector<at::Tensor> leaves;
  for (const auto& parameter : parameters) leaves.push_back(parameter.detach().clone().requires_grad_(true));
  function(leaves).backward();
  for (auto& leaf : leaves) leaf = leaf.grad();
  return leaves;
}

/// Slices scaled by a factor of each channel: what the gradient of Σ_c f_c/2 ‖w_c‖² is.
std::vector<at::Tensor> scaled_slices(const std::vector<at::Tensor>& parameters,
                                      const std::vector<double>& factors) {
  const auto factor = at::tensor(factors, at::kDouble);
  std::vector<at::Tensor> result;
  for (size_t k = 0; k < parameters.size(); ++k) {
    const bool columns = members_of_first()[k] == "second.weight" || parameters[k].dim() == 1;
    result.push_back(parameters[k] * (columns ? factor : factor.unsqueeze(1)));
  }
  return result;
}

void expect_all_near(const std::vector<at::Tensor>& got, const std::vector<at::Tensor>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t k = 0; k < got.size(); ++k)
    EXPECT_LT((got[k] - expected[k]).abs().max().item<double>(), kPenaltyRounding) << members_of_first()[k];
}

TEST(Regularizer, GroupLassoIsTheSumOfTheChannelsNorms) {
  const auto source = regularized_network();
  const auto parameters = parameters_of_first(source);
  double expected = 0;
  for (const double square : squared_norms(parameters)) expected += std::sqrt(square);
  EXPECT_NEAR(penalty_of(source, "group_lasso", parameters).item<double>(), expected, kPenaltyRounding);
  test::expect_gradients([&](const auto& at) { return penalty_of(source, "group_lasso", at); }, parameters);
}

TEST(Regularizer, GroupLassoHasAFiniteGradientAtAChannelOfZeros) {
  const auto source = regularized_network();
  auto parameters = parameters_of_first(source);
  for (size_t k = 0; k < parameters.size(); ++k)
    parameters[k].select(members_of_first()[k] == "second.weight" ? 1 : 0, 2).zero_();
  for (const auto& gradient :
       gradients_of([&](const auto& at) { return penalty_of(source, "group_lasso", at); }, parameters))
    EXPECT_TRUE(at::isfinite(gradient).all().item<bool>());
}

TEST(Regularizer, GroupSparsityPushesWeakChannelsUpToSixteenTimesAsMuch) {
  const auto source = regularized_network();
  const auto parameters = parameters_of_first(source);
  const auto squares = squared_norms(parameters);
  const double greatest = *std::max_element(squares.begin(), squares.end());
  const double least = *std::min_element(squares.begin(), squares.end());
  std::vector<double> factors;
  double expected = 0;
  for (const double square : squares) {
    const double factor = std::exp2(4 * (greatest - square) / (greatest - least));
    expected += factor * square;
    factors.push_back(2 * factor);
  }
  EXPECT_NEAR(penalty_of(source, "group_sparsity", parameters).item<double>(), expected,
              kPenaltyRounding * expected);
  const auto gradients =
      gradients_of([&](const auto& at) { return penalty_of(source, "group_sparsity", at); }, parameters);
  expect_all_near(gradients, scaled_slices(parameters, factors));
}

TEST(Regularizer, BatchNormIsTheSumOfTheMagnitudesOfItsScales) {
  const auto source = regularized_network();
  const auto parameters = parameters_of_first(source);
  parameters[2][1].fill_(-3);
  EXPECT_NEAR(penalty_of(source, "batch_norm", parameters).item<double>(),
              parameters[2].abs().sum().item<double>(), kPenaltyRounding);
  test::expect_gradients(
      [&](const auto& scale) {
        auto all = parameters;
        all[2] = scale[0];
        return penalty_of(source, "batch_norm", all);
      },
      {parameters[2]});
  EXPECT_THROW(find_regularizer("group_laso"), std::invalid_argument);
}

TEST(GrowingPenalty, DecaysTheLeastChannelsTheMost) {
  const auto source = regularized_network();
  const GroupId id = source.groups.find("first");
  const auto parameters = parameters_of_first(source);
  GrowingPenalty penalty(source, {id}, {.step = 0.1, .limit = 0.15});
  const auto at_state = [&](const std::vector<at::Tensor>& at) { return penalty(state_with(source, at)); };
  EXPECT_EQ(at_state(parameters).item<double>(), 0);

  penalty.grow({{id, at::tensor({1.0, 5.0, 2.0, 3.0}, at::kDouble)}});
  expect_all_near(gradients_of(at_state, parameters), scaled_slices(parameters, {0.1, 0, 0.075, 0.05}));
  penalty.grow({{id, at::tensor({1.0, 5.0, 2.0, 3.0}, at::kDouble)}});
  expect_all_near(gradients_of(at_state, parameters), scaled_slices(parameters, {0.15, 0, 0.15, 0.1}));
  test::expect_gradients(at_state, parameters);
  penalty.grow({{id, at::ones({4}, at::kDouble)}});  // nothing to tell channels apart
  EXPECT_NEAR(penalty.coefficients().at(id)[3].item<double>(), 0.1, kPenaltyRounding);

  EXPECT_THROW(penalty.grow({{id, at::ones({3})}}), std::invalid_argument);
  EXPECT_THROW(penalty.grow({{id + 100, at::ones({4})}}), std::invalid_argument);
  EXPECT_THROW(GrowingPenalty(source, {id}, {.step = -1}), std::invalid_argument);
}

}  // namespace
}  // namespace inn
