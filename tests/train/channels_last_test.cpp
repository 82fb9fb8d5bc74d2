#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inn/model/integral_model.h"
#include "inn/train/train.h"
#include "train/small_task.h"

namespace inn {
namespace {

using testing::HasSubstr;

// Of weights of about 0.3, after three epochs that sum float32 in another order.
constexpr double kRoundingOfTraining = 1e-4;

constexpr auto kLayout = at::MemoryFormat::ChannelsLast;

IntegralModel elastic_model() {
  auto model = convert(without_dropout(small_network()), {.order = "none"});
  model->set_distribution(Uniform{0.4, 1});
  return model;
}

TEST(TrainingWithChannelsLast, LearnsTheSameWeightsInTheOtherLayout) {
  const auto data = stripes(64, 1);
  auto usual = elastic_model(), laid_out = elastic_model();
  const auto before = laid_out->named_parameters();
  laid_out->to_channels_last();
  for (const auto& item : laid_out->named_parameters())
    EXPECT_TRUE(item.value().is_same(before[item.key()])) << item.key();
  train(*usual, data, kNormalization, quick());
  train(*laid_out, data, kNormalization, quick());
  const auto expected = usual->named_parameters();
  for (const auto& item : laid_out->named_parameters()) {
    EXPECT_TRUE(item.value().dim() != 4 || item.value().is_contiguous(kLayout)) << item.key();
    EXPECT_LT((item.value() - expected[item.key()]).abs().max().item<double>(), kRoundingOfTraining)
        << item.key();
  }
}

TEST(TrainingWithChannelsLast, IsNotResumedInAnotherLayout) {
  const TemporaryFolder folder;
  auto options = quick();
  options.checkpoint = folder / "run.ckpt";
  auto model = elastic_model(), other = elastic_model();
  model->to_channels_last();
  train(*model, stripes(64, 1), kNormalization, options);
  options.resume = true;
  EXPECT_THAT(message_of([&] { train(*other, stripes(64, 1), kNormalization, options); }),
              HasSubstr("channels_last was true in the run that wrote it but is not set now"));
}

}  // namespace
}  // namespace inn
