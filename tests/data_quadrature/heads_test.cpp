// Attention resampled by data, where the right answer is known.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/nn/module.h>

#include "block_nodes.h"
#include "inn/data_quadrature/data_quadrature.h"
#include "inn/network/files.h"
#include "inn/network/reindexing.h"

namespace inn {
namespace {

constexpr int64_t kInputs = 10, kHeads = 2, kHeadWidth = 6, kRank = 3, kTokens = 5;
// Exact but for the ridge of kernels, 1e-6 of their mean, whose square roots are taken.
constexpr double kWithoutLoss = 1e-4;

/// Attention whose queries, keys and values are of rank kRank in each head, mixed so that no channel is one
/// of the others.
class LowRankAttention : public torch::nn::Module {
 public:
  explicit LowRankAttention(bool fused) : fused_(fused) {
    at::manual_seed(4);
    const auto low_rank = [] {
      std::vector<at::Tensor> heads;
      for (int64_t h = 0; h < kHeads; ++h)
        heads.push_back(
            at::mm(at::randn({kHeadWidth, kRank}, at::kDouble), at::randn({kRank, kInputs}, at::kDouble)));
      return at::cat(heads) / 4;
    };
    const auto maps = at::cat({low_rank(), low_rank(), low_rank()});
    if (fused) {
      qkv_ = register_parameter("qkv", maps);
    } else {
      for (const auto* name : {"q", "k", "v"})
        maps_.push_back(register_parameter(
            name,
            maps.narrow(0, kHeads * kHeadWidth * static_cast<int64_t>(maps_.size()), kHeads * kHeadWidth)
                .clone()));
    }
    out_ = register_parameter("out", at::randn({kInputs, kHeads * kHeadWidth}, at::kDouble));
  }

  at::Tensor forward(const at::Tensor& x) {
    std::vector<at::Tensor> heads;
    if (fused_) {
      const auto all =
          at::linear(x, qkv_).reshape({x.size(0), x.size(1), 3, kHeads, kHeadWidth}).permute({2, 0, 3, 1, 4});
      heads = all.unbind(0);
    } else {
      for (const auto& map : maps_)
        heads.push_back(
            at::linear(x, map).reshape({x.size(0), x.size(1), kHeads, kHeadWidth}).transpose(1, 2));
    }
    const auto mixed = at::scaled_dot_product_attention(heads[0], heads[1], heads[2]);
    return at::linear(mixed.transpose(1, 2).reshape({x.size(0), x.size(1), kHeads * kHeadWidth}), out_);
  }

 private:
  bool fused_;
  at::Tensor qkv_, out_;
  std::vector<at::Tensor> maps_;
};

Calibration noise_tokens(int64_t samples) {
  at::manual_seed(9);
  const at::Tensor x = at::randn({samples, kTokens, kInputs}, at::kDouble);
  return {.batch = [=](int64_t index) -> std::optional<CalibrationBatch> {
    return index == 0 ? std::optional(CalibrationBatch{{x}}) : std::nullopt;
  }};
}

AnalysedNetwork attention(bool fused) {
  const at::NoGradGuard no_grad;
  const auto module = std::make_shared<LowRankAttention>(fused);
  return analyse(trace(
      *module, [&](const at::Tensor& x) { return module->forward(x); },
      at::randn({2, kTokens, kInputs}, at::kDouble)));
}

/// The groups of `width` channels that stand in the tensor.
std::vector<GroupId> groups_of_width(const AnalysedNetwork& source, int64_t width) {
  std::vector<GroupId> found;
  for (GroupId id = 0; id < source.groups.groups.size(); ++id)
    if (source.groups.groups[id].width == width && !source.groups.groups[id].pinned) found.push_back(id);
  return found;
}

TEST(Heads, OfRankMKeepTheirScoresAndValuesInMChannels) {
  for (const bool fused : {false, true}) {
    const auto source = attention(fused);
    std::map<GroupId, int64_t> widths;
    for (const auto id : groups_of_width(source, kHeadWidth)) widths[id] = kRank;
    EXPECT_EQ(widths.size(), fused ? 1u : 2u);
    const auto half = resample(source, widths, noise_tokens(200), {.refits = false});
    for (const auto& group : half.groups) EXPECT_EQ(group.criterion, "mixture");
    const at::Tensor x = at::randn({4, kTokens, kInputs}, at::kDouble);
    const at::Tensor expected = source.network.forward(x), got = half.network.forward(x);
    EXPECT_LT(((got - expected).norm() / expected.norm()).item<double>(), kWithoutLoss) << fused;
    // Chosen channels can't: each is a mixture of all three dimensions of its head.
    std::map<GroupId, GroupMaps> chosen;
    for (const auto& [id, maps] : half.maps) chosen.emplace(id, GroupMaps{maps.produce, maps.consume});
    const at::Tensor by_choice = resample(source, chosen).forward(x);
    EXPECT_GT(((by_choice - expected).norm() / expected.norm()).item<double>(), 100 * kWithoutLoss);
  }
}

TEST(Heads, AreRefitThroughFusedAttention) {
  const auto source = attention(true);
  std::map<GroupId, int64_t> widths;
  for (const auto id : groups_of_width(source, kHeads)) widths[id] = 1;
  for (const auto id : groups_of_width(source, kHeadWidth)) widths[id] = kRank - 1;
  const auto calibration = noise_tokens(200);
  const auto plain = resample(source, widths, calibration, {.refits = false});
  const auto refit = resample(source, widths, calibration);
  const at::Tensor x = at::randn({50, kTokens, kInputs}, at::kDouble);
  const at::Tensor expected = source.network.forward(x);
  const auto error = [&](const Network& network) {
    return ((network.forward(x) - expected).norm() / expected.norm()).item<double>();
  };
  EXPECT_LT(error(refit.network), error(plain.network));
  EXPECT_LT(error(plain.network), 1);
}

TEST(Heads, WithRotaryPositionsAreChosen) {
  const at::NoGradGuard no_grad;
  const auto module = std::make_shared<torch::nn::Module>();
  at::manual_seed(2);
  const auto q = module->register_parameter("q", at::randn({kHeadWidth, kInputs}, at::kDouble));
  const auto k = module->register_parameter("k", at::randn({kHeadWidth, kInputs}, at::kDouble));
  const auto angles = module->register_buffer("angles", at::rand({kTokens, kHeadWidth}, at::kDouble));
  const auto scores = [&](const at::Tensor& x) {
    return at::matmul(at::linear(x, q) * angles, (at::linear(x, k) * angles).transpose(1, 2));
  };
  const auto source = analyse(trace(*module, scores, at::randn({2, kTokens, kInputs}, at::kDouble)));
  const auto ids = groups_of_width(source, kHeadWidth);
  ASSERT_EQ(ids.size(), 1u);
  const auto found = find_nodes(source, {{ids[0], kRank}}, noise_tokens(50));
  EXPECT_EQ(found.groups[0].criterion, "kernel");
  const auto& maps = found.maps.at(ids[0]);
  EXPECT_TRUE(maps.whole.empty());
  EXPECT_TRUE(at::equal(maps.consume.to_dense(), maps.produce.to_dense()));
}

TEST(Heads, ReindexingIsFoundAndNothingElse) {
  const auto source = attention(true);
  const auto& network = source.network;
  ValueId made = -1, scored = -1;
  for (const auto& call : network.calls) {
    if (call.op == "aten::linear" && made < 0) made = call.results[0].values[0];
    if (call.op == "aten::scaled_dot_product_attention") scored = call.arguments[1].value();
  }
  const at::Tensor content = at::randn(network.values[made].sizes, at::kDouble);
  const auto keys = reindexed(network, made, scored, content);
  ASSERT_TRUE(keys.has_value());
  const auto expected = content.reshape({2, kTokens, 3, kHeads, kHeadWidth}).select(2, 1).transpose(1, 2);
  EXPECT_TRUE(at::equal(*keys, expected));
  EXPECT_FALSE(reindexed(network, network.inputs[0], scored, at::zeros({2, kTokens, kInputs}, at::kDouble)));
}

/// n channels of b features each, and what is computed of them.
struct BlockSamples {
  at::Tensor a, w;
  int64_t block;

  ConsumerKernel kernel() const { return {at::mm(a, a.t()) / a.size(1), at::mm(w.t(), w), block}; }

  double by_least_squares(const std::vector<int64_t>& nodes) const {
    const at::Tensor index = (at::tensor(nodes).unsqueeze(1) * block + at::arange(block)).flatten();
    const at::Tensor kept = a.index_select(0, index);
    const at::Tensor left = a - at::mm(at::mm(a, at::linalg_pinv(kept)), kept);
    return (at::mm(w, left).square().sum() / at::mm(w, a).square().sum()).item<double>();
  }
};

TEST(BlockNodes, AreTheBestOfAllSubsetsOrNearlySo) {
  constexpr int64_t kBlocks = 6, kBlock = 3;
  constexpr double kRidgeEffect = 1e-4, kNearly = 1.05;
  double ours = 0, best = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    at::manual_seed(seed);
    const at::Tensor mix = at::randn({kBlocks * kBlock, kBlocks * kBlock}, at::kDouble) *
                           at::logspace(0, -1, kBlocks * kBlock, 10, at::kDouble);
    const BlockSamples samples{at::mm(mix, at::randn({kBlocks * kBlock, 300}, at::kDouble)),
                               at::randn({4, kBlocks * kBlock}, at::kDouble), kBlock};
    double least = 1;
    for (int64_t i = 0; i < kBlocks; ++i)
      for (int64_t j = i + 1; j < kBlocks; ++j) {
        const double error = samples.by_least_squares({i, j});
        EXPECT_NEAR(node_error({samples.kernel()}, {i, j}), error, kRidgeEffect);
        least = std::min(least, error);
      }
    ours += samples.by_least_squares(choose_nodes({samples.kernel()}, 2));
    best += least;
  }
  EXPECT_LE(ours, kNearly * best);
}

TEST(BlockNodes, OfOneFeatureAreNodes) {
  constexpr double kRidgeEffect = 1e-4;
  at::manual_seed(3);
  const BlockSamples samples{at::randn({8, 100}, at::kDouble), at::eye(8, at::kDouble), 1};
  const std::vector<ConsumerKernel> consumers{samples.kernel()};
  EXPECT_NEAR(node_error(consumers, {1, 4, 6}), samples.by_least_squares({1, 4, 6}), kRidgeEffect);
  EXPECT_TRUE(at::equal(between_channels(consumers)[0].kernel, consumers[0].kernel));
}

}  // namespace
}  // namespace inn
