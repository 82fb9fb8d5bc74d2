#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/module.h>

#include <sstream>

#include "inn/network/files.h"

namespace inn {
namespace {

constexpr double kRoundingOfSums = 1e-5;  // sums of 27 float32 products in another order

class OneConvolution : public torch::nn::Module {
 public:
  OneConvolution() { weight = register_parameter("weight", at::randn({4, 3, 3, 3})); }
  at::Tensor weight;
};

/// relu(conv(x)), then what `end` makes of it.
Network convolution_then(const std::function<at::Tensor(const at::Tensor&)>& end) {
  at::manual_seed(5);
  const OneConvolution module;
  return trace(
      module, [&](const at::Tensor& x) { return end(at::relu(at::conv2d(x, module.weight))); },
      at::randn({2, 3, 5, 5}));
}

TEST(ChannelsLast, ChangesTheLayoutAndNoOutput) {
  const at::NoGradGuard no_grad;
  Network network = convolution_then([](const at::Tensor& h) { return at::flatten(h, 1); });
  const auto x = at::randn({2, 3, 5, 5});
  const auto before = network.forward(x);
  network.to_channels_last();
  EXPECT_TRUE(network.state[0].tensor.is_contiguous(at::MemoryFormat::ChannelsLast));
  for (const auto& images : {x, x.contiguous(at::MemoryFormat::ChannelsLast)})
    EXPECT_LT((network.forward(images) - before).abs().max().item<double>(), kRoundingOfSums);
  std::stringstream archive;
  write_pt2(network, archive, "memory");
  const Network read = read_pt2(archive, "memory");
  EXPECT_EQ(read.state[0].tensor.strides(), network.state[0].tensor.strides());
  EXPECT_TRUE(at::equal(read.forward(x), network.forward(x)));
}

TEST(ChannelsLast, IsRefusedByTheCallThatCannotTakeItAndChangesNothing) {
  Network network = convolution_then([](const at::Tensor& h) { return h.view({2, 4 * 9}); });
  const auto strides = network.state[0].tensor.strides().vec();
  EXPECT_THAT([&] { network.to_channels_last(); },
              testing::ThrowsMessage<std::invalid_argument>(testing::HasSubstr("aten::view")));
  EXPECT_EQ(network.state[0].tensor.strides().vec(), strides);
}

}  // namespace
}  // namespace inn
