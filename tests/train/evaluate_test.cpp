#include "inn/train/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/nn/modules/embedding.h>

#include "inn/train/train.h"
#include "train/small_task.h"

namespace inn {
namespace {

using testing::HasSubstr;

/// Means of float32 losses, summed in another order.
constexpr double kLossTolerance = 1e-5;

TEST(Evaluate, CountsWhatOneForwardOverAllImagesGives) {
  const auto data = stripes(50, 3);
  Network network = small_network();
  const at::NoGradGuard no_grad;
  const auto outputs = network.forward(normalize(data.inputs, kNormalization));
  const auto expected = (std::get<1>(outputs.max(1)) == data.labels).sum().item<int64_t>();
  const auto loss = at::cross_entropy_loss(outputs, data.labels).item<double>();
  for (const int64_t batch_size : {1, 7, 64}) {
    const auto result = evaluate(network, data, kNormalization, {.batch_size = batch_size});
    EXPECT_EQ(result.correct, expected);
    EXPECT_EQ(result.count, 50);
    EXPECT_DOUBLE_EQ(result.accuracy, static_cast<double>(expected) / 50);
    EXPECT_NEAR(result.loss, loss, kLossTolerance);
  }
}

TEST(Evaluate, RunsAModuleInEvaluationModeAndPutsItsModeBack) {
  const auto data = stripes(50, 3);
  Network network = small_network();
  NetworkModule model(network.clone());
  model->train();
  const auto result = evaluate(*model, data, kNormalization);
  EXPECT_TRUE(model->is_training());
  EXPECT_EQ(result.correct, evaluate(network, data, kNormalization).correct);
  EXPECT_EQ(evaluate(model->network(), data, kNormalization).loss, result.loss);
  const auto mean = network.state[network.find_state("norm.running_mean")].tensor;
  EXPECT_TRUE(at::equal(model->named_buffers()["norm.running_mean"], mean));
}

TEST(Evaluate, RefusesDataWithoutLabelsAndWithTooManyClasses) {
  Network network = small_network();
  auto data = stripes(4, 3);
  data.labels = at::full_like(data.labels, kClasses);
  EXPECT_THROW(evaluate(network, data, kNormalization), std::invalid_argument);
  data.labels = at::Tensor();
  EXPECT_THROW(evaluate(network, data, kNormalization), std::invalid_argument);
}

/// Tokens [N, 4] of 7 kinds to [N, 4, 7].
class TokenModule : public torch::nn::Module {
 public:
  TokenModule() {
    embedding_ = register_module("embedding", torch::nn::Embedding(7, 5));
    fc_ = register_module("fc", torch::nn::Linear(5, 7));
  }
  at::Tensor forward(const at::Tensor& tokens) { return fc_->forward(embedding_->forward(tokens)); }

 private:
  torch::nn::Embedding embedding_{nullptr};
  torch::nn::Linear fc_{nullptr};
};

Network token_network() {
  at::manual_seed(3);
  const auto module = std::make_shared<TokenModule>();
  return trace(
      *module, [&](const at::Tensor& x) { return module->forward(x); }, at::arange(8).view({2, 4}) % 7);
}

Dataset token_task() {
  const at::Tensor tokens = at::arange(80).square().view({20, 4}) % 7;
  return {.inputs = tokens, .labels = (tokens + 2) % 7, .source = "tokens"};
}

TEST(Evaluate, ScoresEveryPositionWhereEachHasALabel) {
  const Network network = token_network();
  const auto data = token_task();
  const at::NoGradGuard no_grad;
  const auto outputs = network.forward(data.inputs);
  // torch takes classes on axis 1.
  const auto loss = at::cross_entropy_loss(outputs.transpose(1, 2), data.labels).item<double>();
  const auto result = evaluate(network, data, {}, {.batch_size = 6});
  EXPECT_EQ(result.count, 80);
  EXPECT_EQ(result.correct, (outputs.argmax(2) == data.labels).sum().item<int64_t>());
  EXPECT_DOUBLE_EQ(result.accuracy, static_cast<double>(result.correct) / 80);
  EXPECT_NEAR(result.loss, loss, kLossTolerance);
}

TEST(Evaluate, RefusesOutputsThatAreNotThoseOfTheLabels) {
  const Network network = token_network();
  auto data = token_task();
  data.labels = data.labels.select(1, 0).contiguous();
  EXPECT_THAT(message_of([&] { evaluate(network, data, {}); }),
              HasSubstr("For labels [20] of 7 classes the network must return [20, at least 7] outputs but "
                        "returns [20, 4, 7]."));
  data.labels = at::zeros({20, 5}, at::kLong);
  EXPECT_THAT(message_of([&] { evaluate(network, data, {}); }), HasSubstr("but returns [20, 4, 7]"));
  EXPECT_THAT(message_of([&] { evaluate(network, token_task(), kNormalization); }),
              HasSubstr("normalization by mean and std requires images"));
}

TEST(Evaluate, NamesTheInputThatTheNetworkTakes) {
  auto data = stripes(4, 3);
  data.inputs = data.inputs.expand({4, 3, 8, 8}).contiguous();
  EXPECT_THAT(message_of([&] { evaluate(small_network(), data, kNormalization); }),
              testing::AllOf(HasSubstr("runtime"), HasSubstr("was Float[N, 1, 8, 8] in the source but is "
                                                             "Float[4, 3, 8, 8] here")));
  EXPECT_THAT(message_of([&] { evaluate(token_network(), stripes(4, 3), kNormalization); }),
              HasSubstr("was Long[N, 4] in the source but is Float[4, 1, 8, 8] here"));
}

TEST(TokenTraining, LearnsWhatFollowsEachToken) {
  NetworkModule model(token_network());
  auto options = quick(20);
  options.learning_rate = 0.5;
  const auto result = train(*model, token_task(), {}, options);
  EXPECT_EQ(evaluate(*model, token_task(), {}).accuracy, 1);
  EXPECT_LE(result.epochs.back().accuracy, 1);
  EXPECT_NEAR(result.epochs.back().loss, evaluate(*model, token_task(), {}).loss, 0.1);  // of its last steps
  options.augmentation.flip = true;
  EXPECT_THAT(message_of([&] { train(*model, token_task(), {}, options); }),
              HasSubstr("flip requires images"));
}

TEST(EvaluateWidths, IsTheModelsOwnResultAtEveryWidthAndChangesNothing) {
  const auto data = stripes(60, 3);
  auto model = convert(small_network(), {});
  const std::vector<double> fractions{1, 0.5, 0.25};
  const auto results = evaluate_widths(*model, data, kNormalization, fractions);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0].result.correct, evaluate(small_network(), data, kNormalization).correct);
  for (const auto& group : model->groups()) EXPECT_EQ(group.width(), group.source_width());
  for (const auto& [fraction, result] : results) {
    model->resize(fraction);
    EXPECT_NEAR(result.loss, evaluate(*model, data, kNormalization).loss, kLossTolerance) << fraction;
  }
}

class StatisticsOfAugmented : public testing::TestWithParam<Augmentation> {};

TEST_P(StatisticsOfAugmented, AreMeasuredOnTheCalibrationImages) {
  const auto data = stripes(60, 3), calibration = stripes(64, 4);
  Network network = small_network();
  // Statistics of no image at all: only measuring them anew can give what batch norm would in training.
  network.state[network.find_state("norm.running_mean")].tensor.fill_(100);
  auto model = convert(network, {.order = "none"});
  const std::vector<double> fractions{1};
  const auto result = evaluate_widths(*model, data, kNormalization, fractions,
                                      {.calibration = calibration, .augmentation = GetParam()});
  const Batches batches(calibration,
                        {.batch_size = 256, .augmentation = GetParam(), .normalization = kNormalization});
  Network measured = network.clone();
  const auto hidden =
      at::conv2d(batches.epoch(0)[0].inputs, measured.state[measured.find_state("conv.weight")].tensor,
                 measured.state[measured.find_state("conv.bias")].tensor, 1, 1)
          .detach()
          .transpose(0, 1)
          .flatten(1);
  measured.state[measured.find_state("norm.running_mean")].tensor.copy_(hidden.mean(1));
  measured.state[measured.find_state("norm.running_var")].tensor.copy_(hidden.var(1));
  EXPECT_NEAR(result[0].result.loss, evaluate(measured, data, kNormalization).loss, kLossTolerance);
}

INSTANTIATE_TEST_SUITE_P(EvaluateWidths, StatisticsOfAugmented,
                         testing::Values(Augmentation{}, Augmentation{.crop_padding = 2, .flip = true}));

TEST(EvaluateWidths, RefusesAFractionThatCannotBeBeforeItWorks) {
  auto model = convert(small_network(), {});
  const std::vector<double> fractions{1, -0.5};
  EXPECT_THROW(evaluate_widths(*model, stripes(4, 3), kNormalization, fractions), std::invalid_argument);
}

TEST(ElasticTraining, LearnsAllWidthsAndPutsTheModelsWidthsBack) {
  const auto data = stripes(300, 1), test = stripes(300, 2);
  auto model = convert(small_network(), {.order = "none"});
  model->set_distribution(Uniform{0.5, 1});
  std::set<int64_t> drawn;
  auto options = quick(5);
  options.on_step = [&](const StepRecord&) { drawn.insert(model->groups()[0].width()); };
  train(*model, data, kNormalization, options);
  EXPECT_GT(drawn.size(), 1u);
  for (const auto& group : model->groups()) EXPECT_EQ(group.width(), group.source_width());
  EXPECT_GT(evaluate(*model, test, kNormalization).accuracy, 0.9);  // its own statistics, measured at the end
  const std::vector<double> fractions{1, 0.75, 0.5};
  for (const auto& [width, result] :
       evaluate_widths(*model, test, kNormalization, fractions, {.calibration = data}))
    EXPECT_GT(result.accuracy, 0.9) << width;
}

TEST(GridTuning, ChangesGridsAloneAndLowersTheLoss) {
  const auto data = stripes(300, 1);
  auto model = convert(small_network(), {.order = "none"});
  train(*model, data, kNormalization, quick(3));
  model->resize(0.5);
  const auto before = evaluate(*model, data, kNormalization);
  const Network kept = model->network().clone();
  model->tune_grids();
  auto options = quick(3);
  options.optimizer = "adam";
  options.learning_rate = 0.02;
  train(*model, data, kNormalization, options);
  EXPECT_LT(evaluate(*model, data, kNormalization).loss, before.loss);
  for (const auto& entry : kept.state)
    EXPECT_TRUE(
        at::equal(entry.tensor, model->network().state[model->network().find_state(entry.name)].tensor))
        << entry.name;
}

}  // namespace
}  // namespace inn
