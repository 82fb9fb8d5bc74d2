#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "inn/depth/cut_depth.h"
#include "inn/network/dynamic_batch.h"
#include "inn/network/files.h"

namespace inn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kWidth = 6, kBatch = 5, kBlocks = 4;

/// A stem, residual blocks x + down(f(up(x))) with a mask that all read, a head.
class Chain : public torch::nn::Module {
 public:
  Chain(bool is_linear, std::vector<int64_t> hidden) : is_linear_(is_linear) {
    stem_ = register_module("stem", torch::nn::Linear(3, kWidth));
    up_ = register_module("up", torch::nn::ModuleList());
    down_ = register_module("down", torch::nn::ModuleList());
    for (const int64_t width : hidden) {
      up_->push_back(torch::nn::Linear(kWidth, width));
      down_->push_back(torch::nn::Linear(width, kWidth));
    }
    head_ = register_module("head", torch::nn::Linear(kWidth, 2));
  }

  /// Without the blocks that `removed` names.
  at::Tensor run(const at::Tensor& input, const std::set<size_t>& removed = {}) {
    const auto mask = input.select(1, 0).unsqueeze(1).sigmoid();
    auto x = stem_(input);
    for (size_t k = 0; k < up_->size(); ++k) {
      if (removed.contains(k)) continue;
      auto y = up_->at<torch::nn::LinearImpl>(k).forward(x);
      if (!is_linear_) y = y.relu() * mask;
      x = x + down_->at<torch::nn::LinearImpl>(k).forward(y);
    }
    return head_(x);
  }

  Network traced() {
    eval();
    return trace(
        *this, [this](const at::Tensor& x) { return run(x); }, at::randn({kBatch, 3}));
  }

  void zero(size_t block) {
    const at::NoGradGuard no_grad;
    for (auto& parameter : down_->at<torch::nn::LinearImpl>(block).parameters()) parameter.zero_();
  }

 private:
  bool is_linear_;
  torch::nn::Linear stem_{nullptr}, head_{nullptr};
  torch::nn::ModuleList up_{nullptr}, down_{nullptr};
};

/// Blocks of ResNets: relu(x + bn(conv(x))).
class Images : public torch::nn::Module {
 public:
  Images() {
    for (int64_t k = 0; k < kBlocks; ++k) {
      convolutions_.push_back(
          register_module(fmt::format("conv{}", k),
                          torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 3, 3).padding(1).bias(false))));
      norms_.push_back(register_module(fmt::format("bn{}", k), torch::nn::BatchNorm2d(3)));
    }
    eval();
  }
  at::Tensor run(const at::Tensor& input, const std::set<size_t>& removed = {}) {
    auto x = input.relu();
    for (size_t k = 0; k < convolutions_.size(); ++k)
      if (!removed.contains(k)) x = (x + norms_[k](convolutions_[k](x))).relu();
    return x.mean({2, 3});
  }

 private:
  std::vector<torch::nn::Conv2d> convolutions_;
  std::vector<torch::nn::BatchNorm2d> norms_;
};

Calibration samples_of(int64_t count) {
  return {.batch = [count](int64_t index) -> std::optional<CalibrationBatch> {
    if (index >= count) return std::nullopt;
    auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(index));
    return CalibrationBatch{{at::randn({16 * kBatch, 3}, generator)}};
  }};
}

AnalysedNetwork analysed(Chain& chain) { return analyse(with_dynamic_batch(chain.traced())); }

double difference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

std::vector<int64_t> equal(int64_t blocks) { return std::vector<int64_t>(static_cast<size_t>(blocks), 8); }

TEST(DepthGroups, AreTheBlocksOfOneShape) {
  torch::manual_seed(1);
  Chain chain(false, equal(kBlocks));
  const auto groups = find_depth_groups(chain.traced());
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].blocks.size(), 4u);  // the last one too, behind which nothing reads the mask

  Chain uneven(false, {8, 8, 7, 8, 8, 8});
  const auto split = find_depth_groups(uneven.traced());
  ASSERT_EQ(split.size(), 2u);
  EXPECT_EQ(split[0].blocks.size(), 2u);
  EXPECT_EQ(split[1].blocks.size(), 3u);
}

TEST(DepthGroups, AreNotLayersWithoutSums) {
  const at::Tensor weight = at::randn({kWidth, kWidth});
  torch::nn::Linear a(kWidth, kWidth), b(kWidth, kWidth);
  class Plain : public torch::nn::Module {
  } module;
  module.register_module("a", a);
  module.register_module("b", b);
  const Network network = trace(
      module, [&](const at::Tensor& x) { return b(a(x).relu()).relu(); }, at::randn({kBatch, kWidth}));
  EXPECT_TRUE(find_depth_groups(network).empty());
}

TEST(DepthGroups, BypassedGiveWhatTheModuleGivesWithoutThem) {
  torch::manual_seed(2);
  Chain chain(false, equal(kBlocks));
  Images images;
  const Network network = chain.traced();
  const Network of_images = trace(
      images, [&](const at::Tensor& x) { return images.run(x); }, at::randn({kBatch, 3, 4, 4}));
  const at::Tensor x = at::randn({kBatch, 3}), image = at::randn({kBatch, 3, 4, 4});
  const at::NoGradGuard no_grad;
  for (const std::set<size_t>& removed : {std::set<size_t>{0}, {1, 2}, {3}, {0, 3}, {0, 1, 2, 3}}) {
    for (const bool is_image : {false, true}) {
      const Network& source = is_image ? of_images : network;
      const auto group = find_depth_groups(source).at(0);
      ASSERT_EQ(group.blocks.size(), 4u);
      std::vector<ResidualBlock> blocks;
      for (const size_t k : removed) blocks.push_back(group.blocks[k]);
      const Network made = bypass(source, blocks);
      EXPECT_LE(is_image ? difference(made.forward(image), images.run(image, removed))
                         : difference(made.forward(x), chain.run(x, removed)),
                1e-6);
    }
  }
}

TEST(CutDepth, RemovesTheBlocksThatDoNothing) {
  torch::manual_seed(3);
  Chain chain(false, equal(kBlocks));
  chain.zero(1);
  chain.zero(3);
  const auto source = analysed(chain);
  const std::string name = find_depth_groups(source.network).at(0).name;
  for (const char* choice : {"error", "similarity"}) {
    const auto made = cut_depth(source, {{name, 2}}, samples_of(2), {.choice = choice});
    ASSERT_EQ(made.chains.size(), 1u);
    EXPECT_THAT(made.chains[0].removed, ElementsAre(HasSubstr("1"), HasSubstr("3")));
    EXPECT_LE(made.error_after, 1e-10);
    const at::Tensor x = at::randn({kBatch, 3});
    const at::NoGradGuard no_grad;
    EXPECT_LE(difference(made.network.forward(x), chain.run(x)), 1e-5);
    EXPECT_LT(made.network.state.size(), source.network.state.size());
    EXPECT_EQ(find_depth_groups(made.network).at(0).blocks.size(), 2u);
  }
}

// x + A·x and then + B·(x + A·x) are one block with A + B + B·A, which a layer before the gap can become.
TEST(CutDepth, RefitsTheLayerBeforeAGapToWhatLinearBlocksGive) {
  torch::manual_seed(4);
  Chain chain(true, equal(2));
  const auto source = analysed(chain);
  const std::string name = find_depth_groups(source.network).at(0).name;
  const auto left = cut_depth(source, {{name, 1}}, samples_of(4), {.refit = false});
  const auto made = cut_depth(source, {{name, 1}}, samples_of(4));
  EXPECT_GT(left.error_after, 1e-3);
  EXPECT_LE(made.error_after, 1e-6 * left.error_after);
}

TEST(CutDepth, RefitsMakeTheErrorSmaller) {
  torch::manual_seed(5);
  Chain chain(false, equal(6));
  const auto source = analysed(chain);
  const std::string name = find_depth_groups(source.network).at(0).name;
  const auto made = cut_depth(source, {{name, 4}}, samples_of(4));
  EXPECT_LT(made.error_after, 0.5 * made.error_before);
  EXPECT_FALSE(made.layers.empty());
}

TEST(CutDepth, RefusesWhatCannotBe) {
  Chain chain(false, equal(kBlocks));
  const auto source = analysed(chain);
  const std::string name = find_depth_groups(source.network).at(0).name;
  const auto message = [&](const std::map<std::string, int64_t>& depths, const Calibration& data,
                           const CutDepthOptions& options) -> std::string {
    try {
      cut_depth(source, depths, data, options);
      return "";
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
  };
  EXPECT_THAT(message({{"layers", 2}}, samples_of(1), {}), HasSubstr("'layers'"));
  EXPECT_THAT(message({{"layers", 2}}, samples_of(1), {}), HasSubstr("'" + name + "'"));
  EXPECT_THAT(message({{name, 0}}, samples_of(1), {}), HasSubstr("from 1 to 4 but got 0"));
  EXPECT_THAT(message({{name, 5}}, samples_of(1), {}), HasSubstr("from 1 to 4 but got 5"));
  EXPECT_THAT(message({{name, 2}}, samples_of(0), {}), HasSubstr("at least one batch"));
  EXPECT_THAT(message({{name, 2}}, samples_of(1), {.choice = "luck"}), HasSubstr("error or similarity"));
}

}  // namespace
}  // namespace inn
