#include "inn/train/agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/small_task.h"

namespace inn {
namespace {

/// Outputs in float32, batches in another order of sums.
constexpr double kErrorTolerance = 1e-6;

TEST(Agreement, IsWholeWithItself) {
  auto data = stripes(50, 3);
  data.labels = at::Tensor();
  const Network network = small_network();
  const auto same = agreement(network, network, data, kNormalization);
  EXPECT_EQ(same.agreeing, 50);
  EXPECT_EQ(same.count, 50);
  EXPECT_EQ(same.agreement, 1);
  EXPECT_EQ(same.error, 0);
}

TEST(Agreement, IsThatOfOneForwardOverAllSamples) {
  const at::NoGradGuard no_grad;
  const auto data = stripes(50, 3);
  Network network = small_network(), other = network.clone();
  for (const auto& entry : other.state)
    if (entry.tensor.is_floating_point()) entry.tensor.mul_(1.25);
  const auto images = normalize(data.inputs, kNormalization);
  const auto a = other.forward(images), b = network.forward(images);
  const auto agreeing = (std::get<1>(a.max(1)) == std::get<1>(b.max(1))).sum().item<int64_t>();
  const auto error = ((a - b).square().sum() / (b - b.mean()).square().sum()).item<double>();
  for (const int64_t batch_size : {7, 64}) {
    const auto result = agreement(other, network, data, kNormalization, {.batch_size = batch_size});
    EXPECT_EQ(result.agreeing, agreeing);
    EXPECT_NEAR(result.error, error, kErrorTolerance * (1 + error));
  }
}

}  // namespace
}  // namespace inn
