// A small vision transformer (Dosovitskiy et al., ICLR 2021) for images of 32×32, norms before attention and
// MLP.

#include <torch/nn/init.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include "inn/core/error.h"
#include "networks.h"

namespace inn::zoo_networks {
namespace {

constexpr int64_t kPatch = 4, kHeadWidth = 32, kDepth = 6, kExpansion = 4;

class EncoderBlock : public torch::nn::Module {
 public:
  EncoderBlock(int64_t width, int64_t heads, int64_t hidden) : heads_(heads) {
    const int64_t inner = heads * kHeadWidth;
    norm1_ = register_module("norm1", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})));
    qkv_ = register_module("qkv", torch::nn::Linear(width, 3 * inner));
    proj_ = register_module("proj", torch::nn::Linear(inner, width));
    norm2_ = register_module("norm2", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})));
    fc1_ = register_module("fc1", torch::nn::Linear(width, hidden));
    fc2_ = register_module("fc2", torch::nn::Linear(hidden, width));
  }

  at::Tensor forward(const at::Tensor& tokens) {
    const auto x = tokens + attended(norm1_->forward(tokens));
    return x + fc2_->forward(at::gelu(fc1_->forward(norm2_->forward(x))));
  }

 private:
  at::Tensor attended(const at::Tensor& x) {
    const auto parts =
        qkv_->forward(x).unflatten(2, {3, heads_, kHeadWidth}).permute({2, 0, 3, 1, 4}).unbind(0);
    const auto mixed = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
    return proj_->forward(mixed.transpose(1, 2).flatten(2));
  }

  int64_t heads_;
  torch::nn::LayerNorm norm1_{nullptr}, norm2_{nullptr};
  torch::nn::Linear qkv_{nullptr}, proj_{nullptr}, fc1_{nullptr}, fc2_{nullptr};
};

class VisionTransformer : public ZooModule {
 public:
  explicit VisionTransformer(const ZooOptions& options) {
    constexpr double kSpread = 0.02;
    require(options.image_size % kPatch == 0, "zoo",
            "Network 'vit': image_size must be a multiple of {} but got {}.", kPatch, options.image_size);
    const int64_t width = scaled(options, 192), heads = scaled(options, 6);
    const int64_t hidden = scaled(options, kExpansion * 192);
    const int64_t tokens = (options.image_size / kPatch) * (options.image_size / kPatch);
    patches_ = register_module(
        "patches",
        torch::nn::Conv2d(torch::nn::Conv2dOptions(options.channels, width, kPatch).stride(kPatch)));
    positions_ = register_parameter("positions", at::empty({1, tokens, width}));
    torch::nn::init::normal_(positions_, 0, kSpread);
    for (int64_t b = 0; b < kDepth; ++b) blocks_->push_back(EncoderBlock(width, heads, hidden));
    register_module("blocks", blocks_);
    norm_ = register_module("norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})));
    head_ = register_module("head", torch::nn::Linear(width, options.classes));
  }

  at::Tensor forward(const at::Tensor& images) override {
    const auto tokens = patches_->forward(images).flatten(2).transpose(1, 2) + positions_;
    return head_->forward(norm_->forward(blocks_->forward(tokens)).mean(1));
  }

 private:
  torch::nn::Conv2d patches_{nullptr};
  at::Tensor positions_;
  torch::nn::Sequential blocks_;
  torch::nn::LayerNorm norm_{nullptr};
  torch::nn::Linear head_{nullptr};
};

}  // namespace

ZooEntry vit() {
  return {.name = "vit",
          .doc =
              "a small vision transformer (Dosovitskiy et al. 2021) for 32x32 images: 4x4 patches, 6 "
              "blocks of width 192; 2,693,194 parameters",
          .classes = 10,
          .channels = 3,
          .image_size = 32,
          .make = [](const ZooOptions& options) { return std::make_shared<VisionTransformer>(options); }};
}

}  // namespace inn::zoo_networks
