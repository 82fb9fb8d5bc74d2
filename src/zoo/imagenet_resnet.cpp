// Residual networks for ImageNet (He, Zhang, Ren, Sun, CVPR 2016) as torchvision has them.

#include <torch/nn/init.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <array>

#include "networks.h"

namespace inn::zoo_networks {
namespace {

torch::nn::Conv2d convolution(int64_t in, int64_t out, int64_t kernel_size, int64_t stride) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in, out, kernel_size).stride(stride).padding(kernel_size / 2).bias(false));
}

/// Sizes and strides of a block's kernels; the widths that its convolutions give.
struct BlockShape {
  std::vector<int64_t> kernel_sizes, strides, widths;
};

class ResidualBlock : public torch::nn::Module {
 public:
  ResidualBlock(int64_t in, const BlockShape& shape, int64_t stride) {
    // Made first and registered last, as torchvision does: so the same seed draws the same weights.
    if (stride != 1 || in != shape.widths.back()) {
      downsample_ = torch::nn::Sequential();
      downsample_->push_back(convolution(in, shape.widths.back(), 1, stride));
      downsample_->push_back(torch::nn::BatchNorm2d(shape.widths.back()));
    }
    for (size_t i = 0; i < shape.widths.size(); ++i) {
      convolutions_.push_back(
          register_module(fmt::format("conv{}", i + 1),
                          convolution(in, shape.widths[i], shape.kernel_sizes[i], shape.strides[i])));
      norms_.push_back(register_module(fmt::format("bn{}", i + 1), torch::nn::BatchNorm2d(shape.widths[i])));
      in = shape.widths[i];
    }
    if (downsample_) register_module("downsample", downsample_);
  }

  at::Tensor forward(const at::Tensor& x) {
    auto branch = x;
    for (size_t i = 0; i < convolutions_.size(); ++i) {
      branch = norms_[i]->forward(convolutions_[i]->forward(branch));
      if (i + 1 < convolutions_.size()) branch = at::relu(branch);
    }
    return at::relu(branch + (downsample_ ? downsample_->forward(x) : x));
  }

 private:
  std::vector<torch::nn::Conv2d> convolutions_;
  std::vector<torch::nn::BatchNorm2d> norms_;
  torch::nn::Sequential downsample_{nullptr};
};

/// Which blocks a network is built of, and how many of them stand in its four stages.
struct Architecture {
  bool bottleneck;
  std::array<int64_t, 4> blocks;
};

class ImagenetResNet : public ZooModule {
 public:
  ImagenetResNet(const ZooOptions& options, const Architecture& architecture) {
    int64_t channels = scaled(options, 64);
    conv1_ = register_module("conv1", convolution(options.channels, channels, 7, 2));
    bn1_ = register_module("bn1", torch::nn::BatchNorm2d(channels));
    for (size_t s = 0; s < architecture.blocks.size(); ++s) {
      torch::nn::Sequential stage;
      for (int64_t b = 0; b < architecture.blocks[s]; ++b) {
        const int64_t stride = s > 0 && b == 0 ? 2 : 1;
        const auto shape = shape_of(options, architecture.bottleneck, int64_t{64} << s, stride);
        stage->push_back(std::make_shared<ResidualBlock>(channels, shape, stride));
        channels = shape.widths.back();
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
  /// torchvision's bottleneck has its stride in the middle.
  static BlockShape shape_of(const ZooOptions& options, bool bottleneck, int64_t width, int64_t stride) {
    const int64_t inner = scaled(options, width);
    if (!bottleneck) return {{3, 3}, {stride, 1}, {inner, inner}};
    return {{1, 3, 1}, {1, stride, 1}, {inner, inner, scaled(options, 4 * width)}};
  }

  torch::nn::Conv2d conv1_{nullptr};
  torch::nn::BatchNorm2d bn1_{nullptr};
  std::vector<torch::nn::Sequential> stages_;
  torch::nn::Linear fc_{nullptr};
};

ZooEntry imagenet_resnet(std::string name, std::string doc, Architecture architecture) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .classes = 1000,
          .channels = 3,
          .image_size = 224,
          .make = [architecture](const ZooOptions& options) {
            return std::make_shared<ImagenetResNet>(options, architecture);
          }};
}

}  // namespace

ZooEntry resnet18() {
  return imagenet_resnet("resnet18",
                         "ResNet-18 for ImageNet (He et al. 2016) as in torchvision; 11,689,512 parameters",
                         {.bottleneck = false, .blocks = {2, 2, 2, 2}});
}

ZooEntry resnet50() {
  return imagenet_resnet("resnet50",
                         "ResNet-50 for ImageNet (He et al. 2016) as in torchvision; 25,557,032 parameters",
                         {.bottleneck = true, .blocks = {3, 4, 6, 3}});
}

}  // namespace inn::zoo_networks
