// LeNet-5 (LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc.
// IEEE 1998), with ReLU and maximum pooling.

#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "inn/core/error.h"
#include "networks.h"

namespace inn::zoo_networks {
namespace {

class LeNet : public ZooModule {
 public:
  explicit LeNet(const ZooOptions& options) {
    // The paper's images are 32×32; padding of 2 gives the same sizes within for 28×28.
    const int64_t side = (options.image_size / 2 - 4) / 2;
    require(side >= 1, "zoo", "Network 'lenet': image_size must be at least 12 but got {}.",
            options.image_size);
    const int64_t a = scaled(options, 6), b = scaled(options, 16);
    const int64_t c = scaled(options, 120), d = scaled(options, 84);
    conv1_ = register_module("conv1",
                             torch::nn::Conv2d(torch::nn::Conv2dOptions(options.channels, a, 5).padding(2)));
    conv2_ = register_module("conv2", torch::nn::Conv2d(torch::nn::Conv2dOptions(a, b, 5)));
    fc1_ = register_module("fc1", torch::nn::Linear(b * side * side, c));
    fc2_ = register_module("fc2", torch::nn::Linear(c, d));
    fc3_ = register_module("fc3", torch::nn::Linear(d, options.classes));
  }

  at::Tensor forward(const at::Tensor& images) override {
    auto x = at::max_pool2d(at::relu(conv1_->forward(images)), {2, 2}, {2, 2});
    x = at::max_pool2d(at::relu(conv2_->forward(x)), {2, 2}, {2, 2});
    x = at::flatten(x, 1);
    x = at::relu(fc1_->forward(x));
    x = at::relu(fc2_->forward(x));
    return fc3_->forward(x);
  }

 private:
  torch::nn::Conv2d conv1_{nullptr}, conv2_{nullptr};
  torch::nn::Linear fc1_{nullptr}, fc2_{nullptr}, fc3_{nullptr};
};

}  // namespace

ZooEntry lenet() {
  return {.name = "lenet",
          .doc = "LeNet-5 (LeCun et al. 1998) with ReLU and max pooling, padded for 28×28; 61,706 parameters",
          .classes = 10,
          .channels = 1,
          .image_size = 28,
          .make = [](const ZooOptions& options) { return std::make_shared<LeNet>(options); }};
}

}  // namespace inn::zoo_networks
