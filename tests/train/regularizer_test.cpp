// A regularizer's term is part of what a step descends.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inn/resampling/regularization.h"
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
  options.checkpoint = folder.path / "run.ckpt";
  NetworkModule model(small_network());
  train(*model, data, kNormalization, options);
  options.resume = true;
  options.regularizer = "batch_norm";
  options.regularization = 0.5;
  EXPECT_THAT(
      message_of([&] { train(*model, data, kNormalization, options); }),
      testing::HasSubstr("regularizer was nothing in the run that wrote it but is batch_norm:0.5 now"));
  options.regularizer = "batch_nrom";
  EXPECT_THAT(message_of([&] { train(*model, data, kNormalization, options); }),
              testing::HasSubstr("Did you mean 'batch_norm'"));
  options.regularizer = "batch_norm";
  options.regularization = -1;
  EXPECT_THAT(message_of([&] { train(*model, data, kNormalization, options); }),
              testing::HasSubstr("regularization must be a finite number of at least 0"));
}

}  // namespace
}  // namespace inn
