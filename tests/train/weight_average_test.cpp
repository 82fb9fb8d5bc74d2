#include "weight_average.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inn/train/evaluate.h"
#include "inn/train/train.h"
#include "train/small_task.h"

namespace inn {
namespace {

using testing::HasSubstr;

/// float64 arithmetic of numbers around 1.
constexpr double kRounding = 1e-12;

TEST(WeightAverage, FollowsItsRecurrence) {
  const auto tensor = at::zeros({2}, at::kDouble), count = at::zeros({}, at::kLong);
  WeightAverage average({{"w", tensor}, {"n", count}}, 0.5);
  double expected = 0;
  for (int64_t step = 0; step < 20; ++step) {
    tensor.fill_(static_cast<double>(step * step));
    count.fill_(step);
    average.update(step);
    const double decay = std::min(0.5, static_cast<double>(step + 1) / static_cast<double>(step + 10));
    expected = decay * expected + (1 - decay) * static_cast<double>(step * step);
    EXPECT_NEAR(average.averages().at("w")[0].item<double>(), expected, kRounding * (1 + expected));
    EXPECT_EQ(average.averages().at("n").item<int64_t>(), step);
  }
  {
    const AveragedWeights averaged(&average);
    EXPECT_NEAR(tensor[1].item<double>(), expected, kRounding * expected);
  }
  EXPECT_EQ(tensor[1].item<double>(), 19 * 19);
}

TEST(WeightAverage, IsWhatTheMetricSeesAndWhatARunEndsWith) {
  const auto data = stripes(48, 1);
  auto options = quick(2);
  options.ema = 0.6;
  // The plain run takes the same steps: its weights after each one are what is averaged.
  NetworkModule plain(small_network()), averaged(small_network());
  at::Tensor expected = plain->named_parameters()["fc.weight"].detach().to(at::kDouble).clone();
  const auto own = plain->named_parameters()["fc.weight"];
  auto watched = options;
  watched.ema = 0;
  watched.on_step = [&](const StepRecord& step) {
    const auto t = static_cast<double>(step.epoch * 3 + step.batch);
    const double decay = std::min(0.6, (t + 1) / (t + 10));
    expected = decay * expected + (1 - decay) * own.detach().to(at::kDouble);
  };
  train(*plain, data, kNormalization, watched);
  at::Tensor seen;
  options.metric = [&](NetworkModuleImpl& model) {
    seen = model.named_parameters()["fc.weight"].detach().clone();
    return 0.0;
  };
  train(*averaged, data, kNormalization, options);
  constexpr double kFloatRounding = 1e-6;
  const auto ended = averaged->named_parameters()["fc.weight"];
  EXPECT_LE((ended.to(at::kDouble) - expected).abs().max().item<double>(), kFloatRounding);
  EXPECT_TRUE(at::equal(ended, seen));
  EXPECT_FALSE(at::equal(ended, own));
}

TEST(EarlyStopping, GivesBackTheWeightsOfTheBestEpoch) {
  const auto data = stripes(48, 1);
  auto options = quick(8);
  options.patience = 3;
  options.keep_best = true;
  std::vector<at::Tensor> seen;
  options.metric = [&](NetworkModuleImpl& model) {
    seen.push_back(model.named_parameters()["fc.weight"].detach().clone());
    return std::vector{0.2, 0.5, 0.4, 0.5, 0.3}.at(seen.size() - 1);
  };
  NetworkModule model(small_network());
  const auto result = train(*model, data, kNormalization, options);
  EXPECT_EQ(result.epochs.size(), 5U);
  EXPECT_EQ(result.best_metric, 0.5);
  EXPECT_TRUE(at::equal(model->named_parameters()["fc.weight"], seen[1]));

  options.metric = nullptr;
  EXPECT_THAT(message_of([&] { train(*model, data, kNormalization, options); }),
              HasSubstr("keep_best and patience require a metric"));
  options.metric = [](NetworkModuleImpl&) { return std::nan(""); };
  EXPECT_THAT(message_of([&] { train(*model, data, kNormalization, options); }),
              HasSubstr("the metric is nan"));
}

TEST(EarlyStopping, GoesByTheWorstWidth) {
  auto model = convert(small_network(), {.order = "none"});
  const auto data = stripes(60, 2);
  const std::vector<double> fractions{1, 0.5, 0.2};
  double worst = 1;
  for (const auto& at : evaluate_widths(*model, data, kNormalization, fractions))
    worst = std::min(worst, at.result.accuracy);
  EXPECT_EQ(worst_width(data, kNormalization, fractions)(*model), worst);
  NetworkModule plain(small_network());
  EXPECT_EQ(worst_width(data, kNormalization, fractions)(*plain),
            evaluate(*plain, data, kNormalization).accuracy);
}

}  // namespace
}  // namespace inn
