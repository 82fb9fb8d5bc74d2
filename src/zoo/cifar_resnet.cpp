// Residual networks for CIFAR with shortcuts that have no parameters (He, Zhang, Ren, Sun, CVPR 2016,
// section 4.2, option A); names as in Y. Idelbayev's pytorch_resnet_cifar10.

#include <torch/nn/init.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "inn/core/error.h"
#include "networks.h"

namespace inn::zoo_networks {
namespace {

torch::nn::Conv2d convolution(int64_t in, int64_t out, int64_t stride) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).stride(stride).padding(1).bias(false));
}

class Block : public torch::nn::Module {
 public:
  Block(int64_t in, int64_t out, int64_t stride) : added_(out - in), stride_(stride) {
    conv1_ = register_module("conv1", convolution(in, out, stride));
    bn1_ = register_module("bn1", torch::nn::BatchNorm2d(out));
    conv2_ = register_module("conv2", convolution(out, out, 1));
    bn2_ = register_module("bn2", torch::nn::BatchNorm2d(out));
  }

  at::Tensor forward(const at::Tensor& x) {
    const auto branch = bn2_->forward(conv2_->forward(at::relu(bn1_->forward(conv1_->forward(x)))));
    return at::relu(branch + shortcut(x));
  }

 private:
  /// Every second pixel, between channels of zeros.
  at::Tensor shortcut(const at::Tensor& x) const {
    auto kept = x;
    if (stride_ != 1)
      kept = at::slice(at::slice(x, 2, c10::nullopt, c10::nullopt, stride_), 3, c10::nullopt, c10::nullopt,
                       stride_);
    if (added_ == 0) return kept;
    return at::constant_pad_nd(kept, {0, 0, 0, 0, added_ / 2, added_ - added_ / 2});
  }

  int64_t added_, stride_;
  torch::nn::Conv2d conv1_{nullptr}, conv2_{nullptr};
  torch::nn::BatchNorm2d bn1_{nullptr}, bn2_{nullptr};
};

class CifarResNet : public ZooModule {
 public:
  CifarResNet(const ZooOptions& options, int64_t blocks) {
    int64_t channels = scaled(options, 16);
    conv1_ = register_module("conv1", convolution(options.channels, channels, 1));
    bn1_ = register_module("bn1", torch::nn::BatchNorm2d(channels));
    for (int64_t s = 0; s < 3; ++s) {
      const int64_t width = scaled(options, 16 << s);
      torch::nn::Sequential stage;
      for (int64_t b = 0; b < blocks; ++b) {
        stage->push_back(std::make_shared<Block>(channels, width, s > 0 && b == 0 ? 2 : 1));
        channels = width;
      }
      stages_.push_back(register_module(fmt::format("layer{}", s + 1), stage));
    }
    linear_ = register_module("linear", torch::nn::Linear(channels, options.classes));
    for (auto& parameter : named_parameters())
      if (parameter.value().dim() > 1) torch::nn::init::kaiming_normal_(parameter.value());
  }

  at::Tensor forward(const at::Tensor& images) override {
    auto x = at::relu(bn1_->forward(conv1_->forward(images)));
    for (auto& stage : stages_) x = stage->forward(x);
    return linear_->forward(at::flatten(at::adaptive_avg_pool2d(x, {1, 1}), 1));
  }

 private:
  torch::nn::Conv2d conv1_{nullptr};
  torch::nn::BatchNorm2d bn1_{nullptr};
  std::vector<torch::nn::Sequential> stages_;
  torch::nn::Linear linear_{nullptr};
};

/// 9·(c·16 + 16² + …) as the paper's table 6 counts them, with norms and biases.
const char* parameters_of(int64_t blocks) {
  switch (blocks) {
    case 3:
      return "269,722";
    case 5:
      return "464,154";
    case 7:
      return "658,586";
    default:
      return "853,018";
  }
}

}  // namespace

ZooEntry cifar_resnet(int64_t blocks) {
  return {
      .name = fmt::format("resnet{}", 6 * blocks + 2),
      .doc = fmt::format(
          "ResNet-{} for CIFAR (He et al. 2016) with zero-padded shortcuts, He initialization; {} parameters",
          6 * blocks + 2, parameters_of(blocks)),
      .classes = 10,
      .channels = 3,
      .image_size = 32,
      .make = [blocks](const ZooOptions& options) { return std::make_shared<CifarResNet>(options, blocks); }};
}

}  // namespace inn::zoo_networks
