// A fraction is of an axis: of the groups that an axis is a product of, one is cut.

#include "inn/dimension/fraction_groups.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/module.h>

#include <cmath>
#include <functional>

#include "inn/network/files.h"
#include "network_builder.h"

namespace inn {
namespace {

using test::NetworkBuilder;
using testing::ElementsAre;

/// The widths of the groups that a fraction is for, in network order.
std::vector<int64_t> widths(const AnalysedNetwork& source) {
  std::vector<int64_t> widths;
  for (const auto id : fraction_groups(source)) widths.push_back(source.groups.groups[id].width);
  return widths;
}

/// The sizes of a parameter where every group that a fraction is for keeps this much of its channels.
std::vector<int64_t> sizes_at(const AnalysedNetwork& source, const std::string& name, double keep) {
  std::vector<int64_t> all;
  for (const auto& group : source.groups.groups) all.push_back(group.width);
  for (const auto id : fraction_groups(source))
    all[id] = std::llround(keep * static_cast<double>(source.groups.groups[id].width));
  std::vector<int64_t> sizes;
  for (const auto& axis : source.groups.axes[source.network.find_state(name)])
    sizes.push_back(size_at(axis, all));
  return sizes;
}

struct Weights : torch::nn::Module {
  at::Tensor weight(const std::string& name, at::IntArrayRef sizes) {
    return register_parameter(name, at::randn(sizes), false);
  }
};

using Run = std::function<at::Tensor(const at::Tensor&)>;

AnalysedNetwork traced(const Weights& module, const Run& run, const at::Tensor& example) {
  return analyse(trace(module, run, example));
}

enum class Attend { fused, matmul, einsum, batched_matmul };

/// Tokens of width 48 → queries, keys and values of 4 heads with 32 channels, more than heads → 48.
AnalysedNetwork attention(Attend how) {
  Weights weights;
  const auto embed = weights.weight("embed", {48, 5}), qkv = weights.weight("qkv", {3 * 4 * 32, 48}),
             out = weights.weight("out", {48, 4 * 32}), head = weights.weight("head", {3, 48});
  return traced(
      weights,
      [&](const at::Tensor& x) {
        const auto y = at::linear(at::linear(x, embed), qkv).reshape({2, 7, 3, 4, 32});
        at::Tensor mixed;
        if (how == Attend::einsum) {
          const auto q = y.select(2, 0), k = y.select(2, 1), v = y.select(2, 2);
          const auto scores = at::einsum("bqhd,bkhd->bhqk", {q, k}).softmax(-1);
          mixed = at::einsum("bhqk,bkhd->bqhd", {scores, v});
        } else {
          const auto parts = y.permute({2, 0, 3, 1, 4});
          auto q = parts.select(0, 0), k = parts.select(0, 1), v = parts.select(0, 2);
          if (how == Attend::fused) {
            mixed = at::scaled_dot_product_attention(q, k, v);
          } else if (how == Attend::matmul) {
            mixed = at::matmul(at::matmul(q, k.transpose(-2, -1)).softmax(-1), v);
          } else {
            q = q.reshape({8, 7, 32}), k = k.reshape({8, 7, 32}), v = v.reshape({8, 7, 32});
            mixed = at::bmm(at::bmm(q, k.transpose(1, 2)).softmax(-1), v).reshape({2, 4, 7, 32});
          }
          mixed = mixed.transpose(1, 2);
        }
        return at::linear(at::linear(mixed.reshape({2, 7, 128}), out), head).mean(1);
      },
      at::randn({2, 7, 5}));
}

TEST(FractionGroups, OfAttentionAreTheHeadsHoweverItIsWritten) {
  for (const auto how : {Attend::fused, Attend::matmul, Attend::einsum, Attend::batched_matmul}) {
    const auto source = attention(how);
    EXPECT_THAT(widths(source), ElementsAre(48, 4, 48)) << static_cast<int>(how);
    EXPECT_THAT(sizes_at(source, "qkv", 0.5), ElementsAre(3 * 4 * 32 / 2, 24));
    EXPECT_THAT(sizes_at(source, "out", 0.5), ElementsAre(24, 4 * 32 / 2));
  }
}

TEST(FractionGroups, AreTheHeadDimensionWhereItAloneIsACandidate) {
  const auto source = attention(Attend::fused);
  std::vector<GroupId> wide;
  for (const auto id : learned_groups(source))
    if (source.groups.groups[id].width == 32) wide.push_back(id);
  ASSERT_EQ(wide.size(), 1u);
  EXPECT_EQ(fraction_groups(source, wide), wide);
}

TEST(FractionGroups, OfSharedKeysAreTheHeadsOfTheKeys) {
  // 2 heads of keys, each for 6 of queries: more repetitions than heads, and fewer products that have them.
  Weights weights;
  const auto embed = weights.weight("embed", {40, 5}), q = weights.weight("q", {2 * 6 * 8, 40}),
             k = weights.weight("k", {2 * 8, 40}), v = weights.weight("v", {2 * 8, 40}),
             out = weights.weight("out", {3, 2 * 6 * 8});
  const auto source = traced(
      weights,
      [&](const at::Tensor& x) {
        const auto y = at::linear(x, embed);
        const auto shared = [&](const at::Tensor& weight) {
          const auto heads = at::linear(y, weight).view({2, 7, 2, 8}).transpose(1, 2);
          return heads.unsqueeze(2).expand({2, 2, 6, 7, 8}).reshape({2, 12, 7, 8});
        };
        const auto queries = at::linear(y, q).view({2, 7, 12, 8}).transpose(1, 2);
        const auto mixed = at::scaled_dot_product_attention(queries, shared(k), shared(v));
        return at::linear(mixed.transpose(1, 2).reshape({2, 7, 96}), out).mean(1);
      },
      at::randn({2, 7, 5}));
  EXPECT_THAT(widths(source), ElementsAre(40, 2));
  EXPECT_THAT(sizes_at(source, "q", 0.5), ElementsAre(48, 20));
  EXPECT_THAT(sizes_at(source, "k", 0.5), ElementsAre(8, 20));
  EXPECT_THAT(sizes_at(source, "out", 0.5), ElementsAre(3, 48));
}

/// Streams of 12, then 24, 48 and 96 channels: each the one before by a depthwise convolution of two filters.
AnalysedNetwork doubled() {
  Weights weights;
  std::vector<at::Tensor> stages{weights.weight("stem", {12, 3, 1, 1})};
  for (int64_t channels = 12; channels < 96; channels *= 2)
    stages.push_back(weights.weight("down" + std::to_string(channels), {2 * channels, 1, 3, 3}));
  const auto wide = weights.weight("wide", {30, 96, 1, 1}), narrow = weights.weight("narrow", {96, 30, 1, 1}),
             head = weights.weight("head", {5, 96});
  return traced(
      weights,
      [&](const at::Tensor& x) {
        auto y = at::conv2d(x, stages[0]);
        for (size_t k = 1; k < stages.size(); ++k) {
          const auto channels = y.size(1);
          y = at::conv2d(y, stages[k], {}, 1, 1, 1, channels);
        }
        y = y + at::conv2d(at::conv2d(y, wide).relu(), narrow);
        return at::linear(y.mean({2, 3}), head);
      },
      at::randn({2, 3, 4, 4}));
}

TEST(FractionGroups, LeaveTheMultipliersOfConvolutions) {
  const auto source = doubled();
  EXPECT_EQ(learned_groups(source).size(), 5u);
  EXPECT_THAT(widths(source), ElementsAre(12, 30));
  EXPECT_THAT(sizes_at(source, "down48", 0.5), ElementsAre(48, 1, 3, 3));
  EXPECT_THAT(sizes_at(source, "narrow", 0.5), ElementsAre(48, 15, 1, 1));
}

TEST(FractionGroups, LeaveAMultiplierThatIsWiderThanTheChannels) {
  for (const bool transposed : {false, true}) {
    Weights weights;
    const auto stem = weights.weight("stem", {4, 3, 1, 1}), head = weights.weight("head", {5, 64});
    const auto filters =
        transposed ? weights.weight("filters", {4, 16, 3, 3}) : weights.weight("filters", {64, 1, 3, 3});
    const auto source = traced(
        weights,
        [&](const at::Tensor& x) {
          const auto y = at::conv2d(x, stem);
          return at::linear((transposed ? at::conv_transpose2d(y, filters, {}, 1, 0, 0, 4)
                                        : at::conv2d(y, filters, {}, 1, 1, 1, 4))
                                .mean({2, 3}),
                            head);
        },
        at::randn({2, 3, 4, 4}));
    EXPECT_THAT(widths(source), ElementsAre(4)) << transposed;
  }
}

TEST(FractionGroups, AreTheMultiplierWhereNothingElseCanBeResized) {
  Weights weights;
  const auto filters = weights.weight("filters", {48, 1, 3, 3}), head = weights.weight("head", {5, 48});
  const auto source = traced(
      weights,
      [&](const at::Tensor& x) {
        return at::linear(at::conv2d(x, filters, {}, 1, 1, 1, 3).mean({2, 3}), head);
      },
      at::randn({2, 3, 4, 4}));
  EXPECT_THAT(widths(source), ElementsAre(16));
}

TEST(FractionGroups, OfAGroupedConvolutionAreTheWidest) {
  for (const auto& [cardinality, width] : {std::pair{8, 3}, std::pair{2, 9}}) {
    Weights weights;
    const int64_t channels = cardinality * width;
    const auto first = weights.weight("first", {channels, 3, 1, 1}),
               grouped = weights.weight("grouped", {channels, width, 3, 3}),
               head = weights.weight("head", {5, channels});
    const auto source = traced(
        weights,
        [&](const at::Tensor& x) {
          const auto y = at::conv2d(at::conv2d(x, first).relu(), grouped, {}, 1, 1, 1, cardinality);
          return at::linear(y.relu().mean({2, 3}), head);
        },
        at::randn({2, 3, 4, 4}));
    // In each of the two products the channels of a group, or once the groups.
    if (width > cardinality)
      EXPECT_THAT(widths(source), ElementsAre(9, 9));
    else
      EXPECT_THAT(widths(source), ElementsAre(8));
  }
}

/// Joints of a skeleton, mixed by a matrix that is a parameter or not: linear → A1 → A2 → linear.
AnalysedNetwork skeleton(StateEntry::Kind kind, StateEntry::Kind weights = StateEntry::Kind::parameter) {
  NetworkBuilder b(5);
  const auto state = [&](const std::string& name, std::vector<int64_t> sizes, StateEntry::Kind of) {
    return b.state(name, at::randn(sizes, at::kDouble), of);
  };
  auto x = b.input("x", {2, 3, 11});
  x = b.call("aten::matmul", "", {x, state("near", {11, 9}, kind)});
  x = b.call("aten::relu", "", {b.call("aten::matmul", "", {x, state("far", {9, 6}, kind)})});
  x = b.call("aten::mean", "dim", {x, {-1}, true});
  x = b.call("aten::squeeze", "dim", {x, -1});
  x = b.call("aten::linear", "", {x, state("hidden", {7, 3}, weights)});
  return analyse(b.finish(b.call("aten::linear", "", {x, state("head", {4, 7}, weights)})));
}

TEST(LearnedGroups, LeaveOutWhatOnlyBuffersProduce) {
  const auto names = [](const AnalysedNetwork& source) {
    std::vector<std::string> names;
    for (const auto id : learned_groups(source)) names.push_back(source.groups.groups[id].name);
    return names;
  };
  EXPECT_THAT(names(skeleton(StateEntry::Kind::parameter)), ElementsAre("near", "far", "hidden"));
  for (const auto kind : {StateEntry::Kind::buffer, StateEntry::Kind::constant}) {
    const auto fixed = skeleton(kind);
    EXPECT_THAT(names(fixed), ElementsAre("hidden"));
    EXPECT_EQ(fixed.groups.select({"near"}).size(), 1u);  // by name it is resized as ever
    EXPECT_EQ(fixed.groups.select({}).size(), 3u);
  }
  // A network that was stored with its weights as constants has no other groups.
  const auto stored = skeleton(StateEntry::Kind::constant, StateEntry::Kind::constant);
  EXPECT_EQ(names(stored).size(), 3u);
}

TEST(AxisProducts, AreListedOnceWithTheirAxes) {
  const auto source = doubled();
  const auto products = axis_products(source.groups);
  ASSERT_EQ(products.size(), 3u);
  for (size_t k = 0; k < products.size(); ++k) {
    EXPECT_EQ(products[k].factors.size(), k + 2);  // 12·2, 12·2·2, 12·2·2·2
    EXPECT_EQ(source.groups.groups[products[k].factors[0].at(0)].width, 12);
  }
  std::vector<std::string> names;
  for (const auto& [state, axis] : products[2].axes)
    names.push_back(source.network.state[state].name + std::to_string(axis));
  EXPECT_THAT(names, testing::UnorderedElementsAre("down480", "wide1", "narrow0", "head1"));
}

}  // namespace
}  // namespace inn
