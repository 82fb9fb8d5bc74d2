// Batch norm with statistics sampled at grids that learn.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

#include "finite_difference.h"
#include "inn/grid/grid.h"
#include "inn/model/integral_model.h"
#include "inn/network/files.h"

namespace inn {
namespace {

/// Two convolutions with a batch norm between them, whose statistics differ from channel to channel.
class NormModule : public torch::nn::Module {
 public:
  explicit NormModule(bool affine) {
    first_ = register_module("first", torch::nn::Conv2d(torch::nn::Conv2dOptions(2, 7, 3).bias(false)));
    norm_ = register_module("norm", torch::nn::BatchNorm2d(torch::nn::BatchNorm2dOptions(7).affine(affine)));
    second_ = register_module("second", torch::nn::Conv2d(torch::nn::Conv2dOptions(7, 3, 3)));
    at::NoGradGuard no_grad;
    norm_->running_mean.copy_(at::linspace(-1, 2, 7));
    norm_->running_var.copy_(at::linspace(0.5, 3, 7));
    if (affine) norm_->weight.copy_(at::linspace(1.5, 0.5, 7));
  }
  at::Tensor forward(const at::Tensor& x) {
    return second_->forward(at::tanh(norm_->forward(first_->forward(x))));
  }

 private:
  torch::nn::Conv2d first_{nullptr}, second_{nullptr};
  torch::nn::BatchNorm2d norm_{nullptr};
};

/// The network with its norms as run_decompositions() writes them.
Network decomposed(Network network) {
  for (auto& call : network.calls) {
    if (call.op != "aten::batch_norm") continue;
    call.op = "aten::_native_batch_norm_legit_no_training";
    call.arguments.erase(call.arguments.begin() + 8);  // cudnn_enabled
    call.arguments.erase(call.arguments.begin() + 5);  // training
    for (const auto* name : {"saved_mean", "saved_deviation"})
      call.results.push_back({.values = {network.add_value({.name = name, .sizes = {0}})}});
  }
  network.validate();
  return network;
}

IntegralModel make_model(bool affine) {
  at::manual_seed(3);
  const auto module = std::make_shared<NormModule>(affine);
  module->eval();
  module->to(at::kDouble);
  const auto network = trace(
      *module, [&](const at::Tensor& x) { return module->forward(x); }, at::rand({2, 2, 7, 6}, at::kDouble));
  return convert(network, {.order = "none"});
}

TEST(Statistics, GradientsOfTheGridArePassedThroughThemInEvaluationMode) {
  auto model = make_model(true);
  model->eval();
  ASSERT_EQ(model->groups().size(), 1u);
  const auto x = at::rand({2, 2, 7, 6}, at::kDouble);
  const auto theta = at::tensor({0.3, -0.2, 0.1, 0.4}, at::kDouble);
  test::expect_gradients(
      [&](const std::vector<at::Tensor>& inputs) {
        model->set_grid(model->groups()[0].name(), std::make_shared<TrainableGrid>(inputs[0]));
        return model->forward(x);
      },
      {theta});
}

TEST(Statistics, GiveTheSameOutputsWithAndWithoutGradients) {
  constexpr double kRounding = 1e-12;  // float64, a few operations
  for (const bool affine : {true, false}) {
    auto model = make_model(affine);
    model->eval();
    model->tune_grids();
    model->groups()[0].set_grid(
        std::make_shared<TrainableGrid>(at::tensor({0.3, -0.2, 0.1}, at::kDouble).requires_grad_()));
    const auto x = at::rand({2, 2, 7, 6}, at::kDouble);
    const auto with = model->forward(x);
    EXPECT_TRUE(with.requires_grad());
    at::NoGradGuard no_grad;
    EXPECT_TRUE(at::allclose(with, model->forward(x), kRounding, kRounding)) << affine;
    EXPECT_TRUE(at::allclose(with, model->discretize().forward(x), kRounding, kRounding)) << affine;
  }
}

TEST(Statistics, AreWrittenAsEverInTrainingMode) {
  auto model = make_model(true);
  model->groups()[0].set_grid(
      std::make_shared<TrainableGrid>(at::tensor({0.3, -0.2, 0.1}, at::kDouble).requires_grad_()));
  model->train();
  const auto x = at::rand({2, 2, 7, 6}, at::kDouble);
  model->forward(x).sum().backward();
  EXPECT_GT(model->groups()[0].grid().parameters()[0].grad().abs().sum().item<double>(), 0);
}

TEST(Statistics, OfADecomposedNormAreThoseOfTheNormItself) {
  constexpr double kRounding = 1e-12;  // float64, a few operations
  auto model = make_model(true);
  auto written = convert(decomposed(model->network().clone()), {.order = "none"});
  ASSERT_EQ(written->groups().size(), 1u);
  const auto x = at::rand({2, 2, 7, 6}, at::kDouble);
  std::vector<at::Tensor> outputs, gradients;
  for (auto* each : {&model, &written}) {
    (*each)->eval();
    const auto grid =
        std::make_shared<TrainableGrid>(at::tensor({0.3, -0.2, 0.1}, at::kDouble).requires_grad_());
    (*each)->groups()[0].set_grid(grid);
    outputs.push_back((*each)->forward(x));
    outputs.back().square().sum().backward();
    gradients.push_back(grid->parameters()[0].grad());
  }
  EXPECT_TRUE(at::allclose(outputs[0], outputs[1], kRounding, kRounding));
  EXPECT_TRUE(at::allclose(gradients[0], gradients[1], 1e-9, 1e-9));
  EXPECT_GT(gradients[1].abs().sum().item<double>(), 0);
}

}  // namespace
}  // namespace inn
