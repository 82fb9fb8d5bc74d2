// ResNet-18 for ImageNet (He, Zhang, Ren, Sun, CVPR 2016) as torchvision has it.

#include <torch/nn/init.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "zoo/networks.h"

namespace inn::zoo_networks {
namespace {

torch::nn::Conv2d convolution(int64_t in, int64_t out, int64_t kernel_size, int64_t stride) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in, out, kernel_size).stride(stride).padding(kernel_size / 2).bias(false));
}

class BasicBlock : public torch::nn::Module {
 public:
  BasicBlock(int64_t in, int64_t out, int64_t stride) {
    // Made first and registered last, as torchvision does: so the same seed draws the same weights.
    if (stride != 1 || in != out) {
      downsample_ = torch::nn::Sequential();
      downsample_->push_back(convolution(in, out, 1, stride));
      downsample_->push_back(torch::nn::BatchNorm2d(out));
    }
    conv1_ = register_module("conv1", convolution(in, out, 3, stride));
    bn1_ = register_module("bn1", torch::nn::BatchNorm2d(out));
    conv2_ = register_module("conv2", convolution(out, out, 3, 1));
    bn2_ = register_module("bn2", torch::nn::BatchNorm2d(out));
    if (downsample_) register_module("downsample", downsample_);
  }

  at::Tensor forward(const at::Tensor& x) {
    const auto branch = bn2_->forward(conv2_->forward(at::relu(bn1_->forward(conv1_->forward(x)))));
    return at::relu(branch + (downsample_ ? downsample_->forward(x) : x));
  }

 private:
  torch::nn::Conv2d conv1_{nullptr}, conv2_{nullptr};
  torch::nn::BatchNorm2d bn1_{nullptr}, bn2_{nullptr};
  torch::nn::Sequential downsample_{nullptr};
};

class ResNet18 : public ZooModule {
 public:
  explicit ResNet18(const ZooOptions& options) {
    int64_t channels = scaled(options, 64);
    conv1_ = register_module("conv1", convolution(options.channels, channels, 7, 2));
    bn1_ = register_module("bn1", torch::nn::BatchNorm2d(channels));
    for (int64_t s = 0; s < 4; ++s) {
      const int64_t width = scaled(options, 64 << s);
      torch::nn::Sequential stage;
      for (int64_t b = 0; b < 2; ++b) {
        stage->push_back(std::make_shared<BasicBlock>(channels, width, s > 0 && b == 0 ? 2 : 1));
        channels = width;
      }
      stages_.push_back(register_module(fmt::format("layer{}", s + 1), stage));
    }
    fc_ = register_module("fc", torch::nn::Linear(channels, options.classes));
    for (auto& module : modules(false))
      if (auto* layer = module->as<torch::nn::Conv2d>())
        torch::nn::init::kaiming_normal_(layer->weight, 0, torch::kFanOut, torch::kReLU);
  }

  at::Tensor forward(const at::Tensor& images) override {
    auto x = at::relu(bn1_->forward(conv1_->forward(images)));
    x = at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1});
    for (auto& stage : stages_) x = stage->forward(x);
    return fc_->forward(at::flatten(at::adaptive_avg_pool2d(x, {1, 1}), 1));
  }

 private:
  torch::nn::Conv2d conv1_{nullptr};
  torch::nn::BatchNorm2d bn1_{nullptr};
  std::vector<torch::nn::Sequential> stages_;
  torch::nn::Linear fc_{nullptr};
};

}  // namespace

ZooEntry resnet18() {
  return {.name = "resnet18",
          .doc = "ResNet-18 for ImageNet (He et al. 2016) as torchvision has it; 11,689,512 parameters",
          .classes = 1000,
          .channels = 3,
          .image_size = 224,
          .make = [](const ZooOptions& options) { return std::make_shared<ResNet18>(options); }};
}

}  // namespace inn::zoo_networks
