// A small convolutional network with batch norm, to be trained on two cores within a minute or two.

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "inn/core/error.h"
#include "networks.h"

namespace inn::zoo_networks {
namespace {

class SmallCnn : public ZooModule {
 public:
  explicit SmallCnn(const ZooOptions& options) {
    // One stride of 2, which rounds up, and two poolings, which round down.
    const int64_t side = (options.image_size + 1) / 2 / 4;
    require(side >= 1, "zoo", "Network 'small_cnn': image_size must be at least 7 but got {}.",
            options.image_size);
    const int64_t a = scaled(options, 32), b = scaled(options, 64), c = scaled(options, 128);
    conv1_ = register_module("conv1", convolution(options.channels, a, 2));
    bn1_ = register_module("bn1", torch::nn::BatchNorm2d(a));
    conv2_ = register_module("conv2", convolution(a, b, 1));
    bn2_ = register_module("bn2", torch::nn::BatchNorm2d(b));
    conv3_ = register_module("conv3", convolution(b, c, 1));
    bn3_ = register_module("bn3", torch::nn::BatchNorm2d(c));
    linear_ = register_module("linear", torch::nn::Linear(c * side * side, options.classes));
  }

  at::Tensor forward(const at::Tensor& images) override {
    auto x = at::relu(bn1_->forward(conv1_->forward(images)));
    x = at::relu(bn2_->forward(conv2_->forward(x)));
    x = at::max_pool2d(x, {2, 2}, {2, 2});
    x = at::relu(bn3_->forward(conv3_->forward(x)));
    x = at::max_pool2d(x, {2, 2}, {2, 2});
    return linear_->forward(at::flatten(x, 1));
  }

 private:
  static torch::nn::Conv2d convolution(int64_t in, int64_t out, int64_t stride) {
    return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).stride(stride).padding(1).bias(false));
  }

  torch::nn::Conv2d conv1_{nullptr}, conv2_{nullptr}, conv3_{nullptr};
  torch::nn::BatchNorm2d bn1_{nullptr}, bn2_{nullptr}, bn3_{nullptr};
  torch::nn::Linear linear_{nullptr};
};

}  // namespace

ZooEntry small_cnn() {
  return {.name = "small_cnn",
          .doc = "three 3×3 convolutions with batch norm, 32, 64 and 128 wide, for 28×28; 104,426 parameters",
          .classes = 10,
          .channels = 1,
          .image_size = 28,
          .make = [](const ZooOptions& options) { return std::make_shared<SmallCnn>(options); }};
}

}  // namespace inn::zoo_networks
