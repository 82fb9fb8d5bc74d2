#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "inn/model/integral_model.h"
#include "inn/network/files.h"
#include "inn/train/evaluate.h"
#include "inn/train/recipe.h"
#include "inn/train/train.h"
#include "train/small_task.h"

namespace inn {
namespace {

using testing::HasSubstr;

/// Sums of some hundred float32 numbers around 1.
constexpr double kSumTolerance = 1e-6;

at::Generator generator_of(uint64_t seed) { return at::make_generator<at::CPUGeneratorImpl>(seed); }

/// A smooth function of two numbers.
Dataset surface(int64_t count, uint64_t seed) {
  auto generator = generator_of(seed);
  Dataset data{.source = "surface"};
  data.inputs = at::rand({count, 2}, generator) * 2 - 1;
  const auto x = data.inputs.select(1, 0), y = data.inputs.select(1, 1);
  data.labels = (3 * x).sin() + y.square();
  return data;
}

class Perceptron : public torch::nn::Module {
 public:
  Perceptron() {
    first_ = register_module("first", torch::nn::Linear(2, 24));
    second_ = register_module("second", torch::nn::Linear(24, 24));
    last_ = register_module("last", torch::nn::Linear(24, 1));
  }
  at::Tensor forward(const at::Tensor& x) {
    return last_->forward(at::tanh(second_->forward(at::tanh(first_->forward(x)))));
  }

 private:
  torch::nn::Linear first_{nullptr}, second_{nullptr}, last_{nullptr};
};

/// Waves of random direction and phase, and their means over squares of 2 × 2 pixels.
Dataset waves(int64_t count, uint64_t seed) {
  auto generator = generator_of(seed);
  constexpr int64_t kSide = 16;
  const auto draw = [&] { return at::rand({count, 1, 1, 1}, generator); };
  const auto at_row = at::arange(kSide).reshape({1, 1, kSide, 1}), at_column = at_row.transpose(2, 3);
  Dataset data{.source = "waves"};
  data.labels = 0.5 + 0.5 * (draw() * at_row + draw() * at_column + 6 * draw()).sin();
  data.inputs = at::avg_pool2d(data.labels, 2);
  return data;
}

at::Tensor enlarged(const at::Tensor& images) {
  return at::upsample_nearest2d(images, std::vector<int64_t>{16, 16});
}

/// The network of Lim et al., "Enhanced deep residual networks for single image super-resolution" (CVPRW
/// 2017), small: blocks without batch norm between a first and a last convolution, and a shuffle of pixels.
class SuperResolution : public torch::nn::Module {
 public:
  SuperResolution() {
    const auto convolution = [this](const char* name, int64_t in, int64_t out) {
      return register_module(name, torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).padding(1)));
    };
    head_ = convolution("head", 1, 12);
    first_ = convolution("first", 12, 12);
    second_ = convolution("second", 12, 12);
    tail_ = convolution("tail", 12, 4);
  }
  at::Tensor forward(const at::Tensor& images) {
    const auto x = head_->forward(images);
    const auto block = second_->forward(at::relu(first_->forward(x)));
    return enlarged(images) + at::pixel_shuffle(tail_->forward(x + block), 2);
  }

 private:
  torch::nn::Conv2d head_{nullptr}, first_{nullptr}, second_{nullptr}, tail_{nullptr};
};

template <class Module>
Network traced(const Dataset& data) {
  at::set_num_threads(1);
  at::manual_seed(1);
  const auto module = std::make_shared<Module>();
  return trace(
      *module, [&](const at::Tensor& x) { return module->forward(x); }, data.inputs.narrow(0, 0, 3));
}

TrainOptions recipe(int64_t epochs, const std::string& loss) {
  auto options = quick(epochs);
  options.optimizer = "adam";
  options.learning_rate = 0.01;
  options.loss = loss;
  options.width_rule = "sandwich:1";
  options.distillation.in_place = true;
  return options;
}

TEST(Regression, TrainsAPerceptronForAllWidths) {
  const auto data = surface(256, 1), unseen = surface(200, 2);
  auto model = convert(traced<Perceptron>(data));
  model->set_distribution(Uniform{0.5, 1});
  const auto result = train(*model, data, {}, recipe(60, "mse"));
  EXPECT_FALSE(result.epochs.back().accuracy);
  const double variance = unseen.labels.var().item<double>();
  const std::vector<double> fractions{1, 0.75, 0.5};
  for (const auto& at : evaluate_widths(*model, unseen, {}, fractions))
    EXPECT_LT(at.result.loss, 0.2 * variance) << at.width;
  EXPECT_EQ(worst_width(unseen, {}, {0.5})(*model),
            -evaluate_widths(*model, unseen, {}, std::vector{0.5})[0].result.loss);
}

TEST(Regression, TrainsSuperResolutionForAllWidths) {
  const auto data = waves(96, 1), unseen = waves(64, 2);
  auto model = convert(traced<SuperResolution>(data));
  model->set_distribution(Uniform{0.5, 1});
  train(*model, data, {}, recipe(25, "l1"));
  const auto squares = (enlarged(unseen.inputs) - unseen.labels).square().flatten(1).mean(1);
  const double before = (-10 * squares.log10()).mean().item<double>();
  const std::vector<double> fractions{1, 0.75, 0.5};
  for (const auto& at : evaluate_widths(*model, unseen, {}, fractions))
    EXPECT_GT(at.result.regression->psnr, before + 3) << at.width;
}

TEST(Regression, IsEvaluatedByItsFormulas) {
  const auto data = waves(10, 3);
  const Network network = traced<SuperResolution>(data);
  const auto result = evaluate(network, data, {}, {.batch_size = 4});
  const auto difference = (network.forward(data.inputs) - data.labels).detach().to(at::kDouble);
  const auto squares = difference.square().flatten(1).mean(1);
  EXPECT_EQ(result.count, 10);
  EXPECT_NEAR(result.loss, squares.mean().item<double>(), kSumTolerance);
  EXPECT_NEAR(result.regression->absolute, difference.abs().mean().item<double>(), kSumTolerance);
  EXPECT_NEAR(result.regression->psnr, (-10 * squares.log10()).mean().item<double>(), 10 * kSumTolerance);
  // One sample that is met exactly does not make the mean infinite.
  Dataset met = data;
  met.labels = data.labels.clone();
  met.labels.select(0, 0).copy_(network.forward(data.inputs.narrow(0, 0, 1))[0]);
  const auto others = (-10 * squares.log10()).slice(0, 1).sum().item<double>();
  EXPECT_NEAR(evaluate(network, met, {}, {.batch_size = 1}).regression->psnr, (100 + others) / 10, 1e-3);
}

/// Outputs [B] of targets [B].
class Scalar : public Perceptron {
 public:
  at::Tensor forward(const at::Tensor& x) { return Perceptron::forward(x).squeeze(-1); }
};

TEST(Regression, OfOneNumberASampleIsEvaluatedToo) {
  auto data = surface(10, 1);
  data.labels = data.labels.flatten();
  const Network network = traced<Scalar>(data);
  const auto outputs = network.forward(data.inputs).detach();
  ASSERT_EQ(outputs.dim(), 1);
  EXPECT_NEAR(evaluate(network, data, {}).loss, at::mse_loss(outputs, data.labels).item<double>(),
              kSumTolerance);
}

TEST(Loss, CrossEntropyRefusesFloatingTargets) {
  EXPECT_THAT(message_of([] {
                find_loss("cross_entropy").mean(at::zeros({2, 1}), at::zeros({2, 1}), {});
              }),
              HasSubstr("labels must be classes but are Float"));
}

TEST(Loss, OfTargetsIsTheMeanOverAllNumbers) {
  const auto outputs = at::tensor({1.0, 2.0, 4.0, 0.5}).reshape({2, 2});
  const auto targets = at::tensor({1.0, 1.0, 6.0, 0.0}).reshape({2, 2});
  EXPECT_DOUBLE_EQ(find_loss("mse").mean(outputs, targets, {}).item<double>(), (1 + 4 + 0.25) / 4);
  EXPECT_DOUBLE_EQ(find_loss("l1").mean(outputs, targets, {}).item<double>(), (1 + 2 + 0.5) / 4);
  EXPECT_DOUBLE_EQ(find_loss("l1").distance(outputs, targets, {}).item<double>(), (1 + 2 + 0.5) / 4);
  EXPECT_THAT(message_of([&] { find_loss("mse").mean(outputs, at::zeros({2}, at::kLong), {}); }),
              HasSubstr("of the size of the outputs [2, 2] but got [2]"));
}

TEST(Regression, MinimizesAnOwnLossThatWasRegistered) {
  register_loss({.name = "test-huber",
                 .doc = "Huber's",
                 .mean = [](const at::Tensor& outputs, const at::Tensor& targets, const TrainOptions&) {
                   return at::huber_loss(outputs, targets);
                 }});
  const auto data = surface(128, 1);
  NetworkModule model(traced<Perceptron>(data));
  auto options = quick(20);
  options.loss = "test-huber";
  const auto result = train(*model, data, {}, options);
  EXPECT_LT(result.epochs.back().loss, 0.5 * result.epochs.front().loss);
}

TEST(Regression, RefusesTargetsOfAnotherSizeAndAugmentationThatMovesImagesAlone) {
  auto data = waves(10, 1);
  NetworkModule model(traced<SuperResolution>(data));
  auto options = quick(1);
  options.loss = "l1";
  auto wrong = data;
  wrong.labels = at::zeros({10, 1, 8, 8});
  EXPECT_THAT(message_of([&] { train(*model, wrong, {}, options); }),
              HasSubstr("For targets [10, 1, 8, 8] the network must return outputs of the same size but "
                        "returns [10, 1, 16, 16]"));
  auto images = data;
  images.inputs = at::zeros({10, 1, 8, 8}, at::kByte);
  options.augmentation.flip = true;
  EXPECT_THAT(message_of([&] { train(*model, images, {}, options); }),
              HasSubstr("random crops and flips cannot be used"));
}

}  // namespace
}  // namespace inn
