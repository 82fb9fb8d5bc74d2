#include "precision.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inn/model/integral_model.h"
#include "inn/train/evaluate.h"
#include "inn/train/train.h"
#include "train/small_task.h"

namespace inn {
namespace {

using testing::HasSubstr;

TEST(BFloat16, ReachesTheOperatorsThatANetworkCalls) {
  NetworkModule model(small_network());
  const auto images = at::rand({4, 1, 8, 8});
  const auto exact = model->forward(images);
  at::Tensor rounded;
  {
    const BFloat16Guard precision(at::kCPU, true);
    rounded = model->forward(images);
  }
  EXPECT_EQ(exact.scalar_type(), at::kFloat);
  EXPECT_EQ(rounded.scalar_type(), at::kBFloat16);
  // bfloat16 has 8 bits: a relative error of 1/256 in each of three layers.
  EXPECT_LE((rounded.to(at::kFloat) - exact).norm().item<double>(), 3.0 / 256 * exact.norm().item<double>());
  EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
  EXPECT_EQ(model->forward(images).scalar_type(), at::kFloat);
}

TEST(BFloat16, SamplesWeightsInTheirOwnPrecision) {
  auto model = convert(small_network(), {.order = "none"});
  model->resize(0.5);
  const auto exact = model->sample();
  const BFloat16Guard precision(at::kCPU, true);
  const auto guarded = model->sample();
  for (size_t s = 0; s < exact.size(); ++s) EXPECT_TRUE(at::equal(exact[s], guarded[s])) << s;
}

TEST(BFloat16, TrainsAllWidthsAndLeavesTheWeightsInFloat32) {
  auto model = convert(small_network(), {.order = "none"});
  model->set_distribution(Uniform{0.5, 1});
  auto options = quick(5);
  options.bfloat16 = true;
  train(*model, stripes(300, 1), kNormalization, options);
  for (const auto& item : model->named_parameters())
    EXPECT_EQ(item.value().scalar_type(), at::kFloat) << item.key();
  for (const auto& item : model->named_buffers())
    EXPECT_NE(item.value().scalar_type(), at::kBFloat16) << item.key();
  const std::vector<double> fractions{1, 0.5};
  for (const auto& [width, result] :
       evaluate_widths(*model, stripes(300, 2), kNormalization, fractions, {.calibration = stripes(300, 1)}))
    EXPECT_GT(result.accuracy, 0.9) << width;
}

TEST(BFloat16, IsRefusedForWeightsOfAnotherDtype) {
  NetworkModule model(small_network());
  model->to(at::kDouble);
  auto options = quick(1);
  options.bfloat16 = true;
  EXPECT_THAT(message_of([&] { train(*model, stripes(20, 1), kNormalization, options); }),
              HasSubstr("bfloat16: the model must be float32 but is Double"));
}

}  // namespace
}  // namespace inn
