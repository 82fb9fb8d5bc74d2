// Network in Network (Lin, Chen, Yan, ICLR 2014) as its authors set it up for CIFAR-10; names as in
// pytorchcv's nin_cifar10.

#include <torch/nn/init.h>
#include <torch/nn/modules/conv.h>

#include "inn/core/error.h"
#include "networks.h"

namespace inn::zoo_networks {
namespace {

/// A convolution followed by ReLU.
class Unit : public torch::nn::Module {
 public:
  Unit(int64_t in, int64_t out, int64_t kernel_size) {
    conv_ = register_module(
        "conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, kernel_size).padding(kernel_size / 2)));
  }
  at::Tensor forward(const at::Tensor& x) { return at::relu(conv_->forward(x)); }

 private:
  torch::nn::Conv2d conv_{nullptr};
};

class Nin : public ZooModule {
 public:
  explicit Nin(const ZooOptions& options) {
    require(options.image_size >= 4, "zoo", "Network 'nin': image_size must be at least 4 but got {}.",
            options.image_size);
    const auto features = register_module("features", std::make_shared<torch::nn::Module>());
    struct Layer {
      int64_t width, kernel_size;
    };
    const std::vector<std::vector<Layer>> stages{
        {{192, 5}, {160, 1}, {96, 1}}, {{192, 5}, {192, 1}, {192, 1}}, {{192, 3}, {192, 1}}};
    int64_t channels = options.channels;
    for (size_t s = 0; s < stages.size(); ++s) {
      const auto stage =
          features->register_module(fmt::format("stage{}", s + 1), std::make_shared<torch::nn::Module>());
      auto& units = stages_.emplace_back();
      for (size_t u = 0; u < stages[s].size(); ++u) {
        const int64_t width = scaled(options, stages[s][u].width);
        units.push_back(stage->register_module(
            fmt::format("unit{}", u + 1), std::make_shared<Unit>(channels, width, stages[s][u].kernel_size)));
        channels = width;
      }
    }
    const auto output = register_module("output", std::make_shared<torch::nn::Module>());
    final_ = output->register_module("final_conv", std::make_shared<Unit>(channels, options.classes, 1));
    for (auto& parameter : named_parameters()) {
      torch::NoGradGuard no_grad;
      if (parameter.value().dim() > 1)
        torch::nn::init::kaiming_uniform_(parameter.value());
      else
        parameter.value().zero_();
    }
  }

  at::Tensor forward(const at::Tensor& images) override {
    auto x = images;
    for (size_t s = 0; s < stages_.size(); ++s) {
      if (s == 1) x = at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1});
      if (s == 2) x = at::avg_pool2d(x, {3, 3}, {2, 2}, {1, 1});
      if (s > 0) x = at::dropout(x, kDropout, is_training());
      for (auto& unit : stages_[s]) x = unit->forward(x);
    }
    return at::flatten(at::adaptive_avg_pool2d(final_->forward(x), {1, 1}), 1);
  }

 private:
  static constexpr double kDropout = 0.5;
  std::vector<std::vector<std::shared_ptr<Unit>>> stages_;
  std::shared_ptr<Unit> final_;
};

}  // namespace

ZooEntry nin() {
  return {.name = "nin",
          .doc = "Network in Network (Lin et al. 2014) for CIFAR, He initialization; 966,986 parameters",
          .classes = 10,
          .channels = 3,
          .image_size = 32,
          .make = [](const ZooOptions& options) { return std::make_shared<Nin>(options); }};
}

}  // namespace inn::zoo_networks
