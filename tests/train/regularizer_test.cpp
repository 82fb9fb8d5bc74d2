// A regularizer's term is part of what a step descends.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inn/pruning/regularization.h"
#include "train/small_task.h"

namespace inn {
namespace {

TEST(RegularizedTraining, DescendsTheTermsGradientToo) {
  const auto data = stripes(20, 3);
  TrainOptions options = quick(1);
  options.batch_size = 20;  // one step
  options.momentum = 0;
  options.schedule = "constant";
  options.learning_rate = 0.5;
  NetworkModule plain(small_network()), pushed(small_network()), expected(small_network());
  train(*plain, data, kNormalization, options);
  options.regularizer = "group_lasso";
  options.regularization = 0.25;
  train(*pushed, data, kNormalization, options);

  const auto source = analyse(expected->network());
  find_regularizer("group_lasso")
      .penalty(source, source.groups.select({}), expected->network().tensors())
      .backward();
  constexpr double kSinglePrecision = 1e-5;  // two sums of float32 numbers of order 1
  bool moved = false;
  for (const auto& parameter : expected->named_parameters()) {
    const auto gradient = parameter.value().grad();
    const auto difference =
        (plain->named_parameters()[parameter.key()] - pushed->named_parameters()[parameter.key()]).detach();
    const auto wanted = gradient.defined() ? 0.5 * 0.25 * gradient : at::zeros_like(difference);
    EXPECT_LT((difference - wanted).abs().max().item<double>(), kSinglePrecision) << parameter.key();
    moved |= difference.abs().max().item<double>() > 100 * kSinglePrecision;
  }
  EXPECT_TRUE(moved);
}

TEST(RegularizedTraining, GoesOnFromItsOwnCheckpointsOnly) {
  const TemporaryFolder folder;
  const auto data = stripes(20, 3);
  TrainOptions options = quick(1);
  options.checkpoint = folder / "run.ckpt";
  NetworkModule model(small_network());
  train(*model, data, kNormalization, options);
  options.resume = true;
  options.regularizer = "batch_norm";
  options.regularization = 0.5;
  EXPECT_THAT(
      message_of([&] { train(*model, data, kNormalization, options); }),
      testing::HasSubstr("regularizer was not set in the run that wrote it but is batch_norm:0.5 now"));
  options.regularizer = "batch_nrom";
  EXPECT_THAT(message_of([&] { train(*model, data, kNormalization, options); }),
              testing::HasSubstr("Did you mean 'batch_norm'"));
  options.regularizer = "batch_norm";
  options.regularization = -1;
  EXPECT_THAT(message_of([&] { train(*model, data, kNormalization, options); }),
              testing::HasSubstr("regularization must be a finite number of at least 0"));
}

TEST(GrowingPenaltyInTraining, WeakensTheWeakestAndSurvivesAnInterruption) {
  const TemporaryFolder folder;
  const auto data = stripes(40, 3);
  TrainOptions options = quick(3);
  NetworkModule plain(small_network());
  train(*plain, data, kNormalization, options);
  options.growing_penalty = 0.2;
  options.checkpoint = folder / "unbroken.ckpt";
  NetworkModule unbroken(small_network());
  train(*unbroken, data, kNormalization, options);

  options.checkpoint = folder / "broken.ckpt";
  options.checkpoint_interval = 1;
  struct Killed {};
  options.on_step = [](const StepRecord& step) {
    if (step.epoch == 1 && step.batch == 1) throw Killed{};
  };
  NetworkModule broken(small_network()), resumed(small_network());
  EXPECT_THROW(train(*broken, data, kNormalization, options), Killed);
  options.on_step = nullptr;
  options.resume = true;
  train(*resumed, data, kNormalization, options);
  double squared = 0, plainly = 0;
  for (const auto& parameter : unbroken->named_parameters()) {
    EXPECT_TRUE(at::equal(parameter.value(), resumed->named_parameters()[parameter.key()]))
        << parameter.key();
    squared += parameter.value().detach().square().sum().item<double>();
    plainly += plain->named_parameters()[parameter.key()].detach().square().sum().item<double>();
  }
  EXPECT_LT(squared, plainly);
}

}  // namespace
}  // namespace inn
