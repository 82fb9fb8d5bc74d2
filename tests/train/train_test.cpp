#include "inn/train/train.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "inn/train/evaluate.h"
#include "inn/train/recipe.h"
#include "train/small_task.h"

namespace inn {
namespace {

using testing::HasSubstr;

/// One step of float32 arithmetic, done in another order.
constexpr double kStepTolerance = 1e-6;

bool same_tensors(const torch::nn::Module& a, const torch::nn::Module& b) {
  const auto first = a.named_parameters(), second = b.named_parameters();
  for (const auto& item : first)
    if (!at::equal(item.value(), second[item.key()])) return false;
  const auto buffers = a.named_buffers(), others = b.named_buffers();
  for (const auto& item : buffers)
    if (!at::equal(item.value(), others[item.key()])) return false;
  return first.size() == second.size() && buffers.size() == others.size();
}

TEST(Training, LearnsTheClassesOfImagesItHasNotSeen) {
  NetworkModule model(small_network());
  const auto before = evaluate(*model, stripes(300, 2), kNormalization);
  const auto result = train(*model, stripes(300, 1), kNormalization, quick(4));
  EXPECT_EQ(result.epochs.size(), 4u);
  EXPECT_LT(result.epochs.back().loss, result.epochs.front().loss);
  EXPECT_LT(before.accuracy, 0.7);
  EXPECT_GT(evaluate(*model, stripes(300, 2), kNormalization).accuracy, 0.97);
  EXPECT_FALSE(model->is_training());
}

TEST(Training, TakesTheStepOfTheFormulaAndDecaysOnlyWeightsOfTwoAxes) {
  const auto data = stripes(16, 1);
  auto options = quick(1);
  options.momentum = 0;
  options.weight_decay = 0.1;
  options.schedule = "constant";
  // Without dropout the step is a function of the images alone; their order does not matter.
  const Network network = without_dropout(small_network());
  NetworkModule model(network.clone()), stepped(network.clone());
  model->train();
  const auto outputs = model->forward(normalize(data.inputs, kNormalization));
  at::cross_entropy_loss(outputs, data.labels).backward();
  train(*stepped, data, kNormalization, options);
  for (const auto& item : model->named_parameters()) {
    const auto& weight = item.value();
    const double decay = weight.dim() > 1 ? options.weight_decay : 0;
    const auto expected = weight - options.learning_rate * (weight.grad() + decay * weight);
    const auto actual = stepped->named_parameters()[item.key()];
    EXPECT_LE((actual - expected).abs().max().item<double>(), kStepTolerance) << item.key();
    // A bias before batch norm has no gradient, and so no step.
    EXPECT_TRUE(item.key() == "conv.bias" || !at::equal(actual, weight)) << item.key();
  }
}

TEST(Training, ScalesGradientsToTheNormThatIsAllowed) {
  auto options = quick(1);
  options.momentum = 0;
  options.schedule = "constant";
  options.clip_norm = 1e-3;
  const Network network = small_network();
  NetworkModule model(network.clone());
  train(*model, stripes(16, 1), kNormalization, options);
  double squares = 0;
  for (const auto& item : model->named_parameters()) {
    const auto& before = network.state[network.find_state(item.key())].tensor;
    squares += (item.value() - before).to(at::kDouble).square().sum().item<double>();
  }
  // The weights are float32 numbers around 0.1, so each step is rounded to 1e-8 where it is 1e-6.
  EXPECT_NEAR(std::sqrt(squares) / (options.learning_rate * options.clip_norm), 1, 1e-2);
}

TEST(Training, GivesTheSameWeightsForTheSameSeedAndLeavesTorchsGenerator) {
  const auto data = stripes(40, 1);
  NetworkModule first(small_network()), second(small_network()), other(small_network());
  at::manual_seed(9);
  const auto expected = at::rand({3});
  at::manual_seed(9);
  train(*first, data, kNormalization, quick(1));
  EXPECT_TRUE(at::equal(at::rand({3}), expected));
  train(*second, data, kNormalization, quick(1));
  auto options = quick(1);
  options.seed = 6;
  train(*other, data, kNormalization, options);
  EXPECT_TRUE(same_tensors(*first, *second));
  EXPECT_FALSE(same_tensors(*first, *other));
}

TEST(Training, StopsAtALossThatIsNoNumberAndKeepsTheLastGoodState) {
  const TemporaryFolder folder;
  NetworkModule model(small_network()), again(small_network());
  auto options = quick(2);
  options.checkpoint = folder / "run.ckpt";
  // One good epoch, whose checkpoint stays; then the weights are spoilt.
  options.on_step = [&](const StepRecord& step) {
    if (step.epoch == 1 && step.batch == 0) {
      const at::NoGradGuard no_grad;
      model->parameters()[0].fill_(NAN);
    }
  };
  const auto message = message_of([&] { train(*model, stripes(40, 1), kNormalization, options); });
  EXPECT_THAT(message, HasSubstr("runtime: [train] Epoch 2, batch 2: the loss is nan"));
  EXPECT_THAT(message, HasSubstr("run.ckpt"));
  options.on_step = nullptr;
  options.resume = true;
  const auto result = train(*again, stripes(40, 1), kNormalization, options);
  EXPECT_EQ(result.epochs.size(), 2u);
  for (const auto& parameter : again->parameters()) EXPECT_TRUE(at::isfinite(parameter).all().item<bool>());
}

TEST(Training, RefusesOptionsAndDataThatCannotBe) {
  NetworkModule model(small_network());
  const auto data = stripes(20, 1);
  const auto message = [&](auto change) {
    auto options = quick(1);
    change(options);
    return message_of([&] { train(*model, data, kNormalization, options); });
  };
  EXPECT_THAT(message([](auto& o) { o.optimizer = "sdg"; }),
              HasSubstr("No optimizer is named 'sdg'. Did you mean 'sgd'"));
  EXPECT_THAT(message([](auto& o) { o.schedule = "cosin"; }), HasSubstr("'cosine'"));
  EXPECT_THAT(message([](auto& o) { o.loss = "crossentropy"; }), HasSubstr("'cross_entropy'"));
  EXPECT_THAT(message([](auto& o) { o.epochs = -1; }),
              HasSubstr("epochs must be a finite number of at least 0 but got -1"));
  EXPECT_THAT(message([](auto& o) { o.learning_rate = NAN; }), HasSubstr("learning_rate"));
  EXPECT_THAT(message([](auto& o) { o.label_smoothing = 1; }),
              HasSubstr("label_smoothing must be in [0, 1) but got 1"));
  EXPECT_THAT(message([](auto& o) { o.resume = true; }), HasSubstr("checkpoint"));
  EXPECT_THAT(message([](auto& o) { o.checkpoint = "/nowhere/at/all.ckpt"; }), HasSubstr("runtime: "));
  auto unlabelled = data;
  unlabelled.labels = at::Tensor();
  EXPECT_THAT(message_of([&] { train(*model, unlabelled, kNormalization, quick(1)); }),
              HasSubstr("no labels"));
  auto many = data;
  many.labels = at::full_like(data.labels, 7);
  EXPECT_THAT(
      message_of([&] { train(*model, many, kNormalization, quick(1)); }),
      HasSubstr(
          "labels [16] of 8 classes the network must return [16, at least 8] outputs but returns [16, 3]"));
  for (auto& parameter : model->parameters()) parameter.requires_grad_(false);
  EXPECT_THAT(message_of([&] { train(*model, data, kNormalization, quick(1)); }), HasSubstr("no parameter"));
}

TEST(Schedule, RisesLinearlyAndFallsAlongHalfACosine) {
  TrainOptions options{.epochs = 10, .learning_rate = 2, .schedule = "cosine", .warmup_epochs = 1};
  constexpr int64_t kSteps = 100;
  EXPECT_NEAR(learning_rate_at(0, kSteps, options), 2.0 / 11, 1e-12);
  EXPECT_NEAR(learning_rate_at(9, kSteps, options), 20.0 / 11, 1e-12);
  EXPECT_DOUBLE_EQ(learning_rate_at(10, kSteps, options), 2);
  EXPECT_NEAR(learning_rate_at(55, kSteps, options), 1, 1e-12);
  EXPECT_NEAR(learning_rate_at(99, kSteps, options), 1 + std::cos(M_PI * 89 / 90), 1e-12);
  options.schedule = "constant";
  EXPECT_DOUBLE_EQ(learning_rate_at(99, kSteps, options), 2);
}

TEST(Loss, IsTheSmoothedCrossEntropyOfItsFormula) {
  const TrainOptions options{.label_smoothing = 0.1};
  const auto outputs = at::tensor({1.0, 2.0, 4.0, 0.5, -1.0, 0.0}, at::kDouble).reshape({2, 3});
  const auto labels = at::tensor({2, 0}, at::kLong);
  double expected = 0;
  for (int64_t b = 0; b < 2; ++b) {
    const auto log_probability = outputs[b] - outputs[b].exp().sum().log();
    for (int64_t c = 0; c < 3; ++c) {
      const double target = 0.1 / 3 + (labels[b].item<int64_t>() == c ? 0.9 : 0);
      expected -= target * log_probability[c].item<double>() / 2;
    }
  }
  EXPECT_NEAR(find_loss("cross_entropy").mean(outputs, labels, options).item<double>(), expected, 1e-12);
}

TEST(Recipe, RefusesANameThatIsTaken) {
  EXPECT_THAT(message_of([] { register_loss(find_loss("cross_entropy")); }), HasSubstr("already in use"));
  EXPECT_THAT(message_of([] { register_optimizer(find_optimizer("sgd")); }), HasSubstr("already in use"));
  EXPECT_THAT(message_of([] { register_schedule(find_schedule("constant")); }), HasSubstr("already in use"));
}

TEST(Recipe, EntriesStayWhereTheyAreWhenOthersAreRegistered) {
  const auto* loss = &find_loss("mse");
  for (int i = 0; i < 100; ++i) {
    auto another = find_loss("mse");
    another.name = "test-another-" + std::to_string(i);
    register_loss(another);
  }
  EXPECT_EQ(&find_loss("mse"), loss);
}

TEST(Training, MinimizesAnOwnLossThatWasRegistered) {
  register_loss({.name = "test-mse",
                 .doc = "squares",
                 .mean = [](const at::Tensor& outputs, const at::Tensor& labels, const TrainOptions&) {
                   return at::mse_loss(outputs, at::one_hot(labels, kClasses).to(outputs.dtype()));
                 }});
  NetworkModule model(small_network());
  auto options = quick(3);
  options.loss = "test-mse";
  const auto result = train(*model, stripes(200, 1), kNormalization, options);
  EXPECT_LT(result.epochs.back().loss, 0.5 * result.epochs.front().loss);
}

TEST(Training, RecordsEachEpochWithItsMetricInTheLog) {
  const TemporaryFolder folder;
  NetworkModule model(small_network());
  auto options = quick(3);
  options.log = folder / "log.jsonl";
  int64_t calls = 0;
  options.metric = [&](NetworkModuleImpl& given) {
    EXPECT_EQ(&given, model.get());
    return std::vector<double>{0.5, 0.75, 0.25}.at(calls++);
  };
  const auto result = train(*model, stripes(40, 1), kNormalization, options);
  EXPECT_EQ(result.best_metric, 0.75);
  std::ifstream file(options.log);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(lines.size(), 3u);
  for (size_t e = 0; e < 3; ++e) {
    EXPECT_EQ(lines[e]["epoch"], e);
    EXPECT_EQ(lines[e]["loss"].get<double>(), result.epochs[e].loss);
    EXPECT_EQ(lines[e]["metric"].get<double>(), *result.epochs[e].metric);
  }
}

}  // namespace
}  // namespace inn
