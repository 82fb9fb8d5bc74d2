// MobileNetV2 for ImageNet (Sandler, Howard, Zhu, Zhmoginov, Chen, CVPR 2018) as torchvision has it.

#include <torch/nn/init.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

#include "networks.h"

namespace inn::zoo_networks {
namespace {

using torch::nn::Sequential;

torch::nn::Conv2d grouped_convolution(int64_t in, int64_t out, int64_t kernel_size, int64_t stride,
                                      int64_t groups) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, kernel_size)
                               .stride(stride)
                               .padding(kernel_size / 2)
                               .groups(groups)
                               .bias(false));
}

/// A convolution with its norm and activation.
class ActivatedConvolution : public torch::nn::SequentialImpl {
 public:
  ActivatedConvolution(int64_t in, int64_t out, int64_t kernel_size, int64_t stride, int64_t groups = 1)
      : SequentialImpl(grouped_convolution(in, out, kernel_size, stride, groups), torch::nn::BatchNorm2d(out),
                       torch::nn::ReLU6()) {}

  // Its own, since a Sequential holds only modules whose forward is no template.
  at::Tensor forward(const at::Tensor& x) { return SequentialImpl::forward(x); }
};

class InvertedResidual : public torch::nn::Module {
 public:
  InvertedResidual(int64_t in, int64_t out, int64_t stride, int64_t expansion)
      : shortcut_(stride == 1 && in == out) {
    const int64_t hidden = in * expansion;
    Sequential layers;
    if (expansion != 1) layers->push_back(std::make_shared<ActivatedConvolution>(in, hidden, 1, 1));
    layers->push_back(std::make_shared<ActivatedConvolution>(hidden, hidden, 3, stride, hidden));
    layers->push_back(grouped_convolution(hidden, out, 1, 1, 1));
    layers->push_back(torch::nn::BatchNorm2d(out));
    conv_ = register_module("conv", layers);
  }

  at::Tensor forward(const at::Tensor& x) {
    const auto branch = conv_->forward(x);
    return shortcut_ ? x + branch : branch;
  }

 private:
  bool shortcut_;
  Sequential conv_{nullptr};
};

/// Blocks of one width: its expansion, width, how many, the stride of the first.
struct Stage {
  int64_t expansion, width, blocks, stride;
};

constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                             {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

class MobileNetV2 : public ZooModule {
 public:
  explicit MobileNetV2(const ZooOptions& options) {
    constexpr double kDropout = 0.2, kClassifierSpread = 0.01;
    int64_t channels = scaled(options, 32);
    Sequential features(std::make_shared<ActivatedConvolution>(options.channels, channels, 3, 2));
    for (const auto& stage : kStages) {
      const int64_t width = scaled(options, stage.width);
      for (int64_t b = 0; b < stage.blocks; ++b) {
        features->push_back(
            std::make_shared<InvertedResidual>(channels, width, b == 0 ? stage.stride : 1, stage.expansion));
        channels = width;
      }
    }
    const int64_t last = scaled(options, 1280);
    features->push_back(std::make_shared<ActivatedConvolution>(channels, last, 1, 1));
    features_ = register_module("features", features);
    classifier_ = register_module(
        "classifier", Sequential(torch::nn::Dropout(kDropout), torch::nn::Linear(last, options.classes)));
    for (auto& module : modules(false)) {
      if (auto* layer = module->as<torch::nn::Conv2d>())
        torch::nn::init::kaiming_normal_(layer->weight, 0, torch::kFanOut);
      if (auto* layer = module->as<torch::nn::Linear>()) {
        torch::nn::init::normal_(layer->weight, 0, kClassifierSpread);
        torch::nn::init::zeros_(layer->bias);
      }
    }
  }

  at::Tensor forward(const at::Tensor& images) override {
    const auto x = features_->forward(images);
    return classifier_->forward(at::flatten(at::adaptive_avg_pool2d(x, {1, 1}), 1));
  }

 private:
  Sequential features_{nullptr}, classifier_{nullptr};
};

}  // namespace

ZooEntry mobilenet_v2() {
  return {.name = "mobilenet_v2",
          .doc = "MobileNetV2 for ImageNet (Sandler et al. 2018) as in torchvision; 3,504,872 parameters",
          .classes = 1000,
          .channels = 3,
          .image_size = 224,
          .make = [](const ZooOptions& options) { return std::make_shared<MobileNetV2>(options); }};
}

}  // namespace inn::zoo_networks
