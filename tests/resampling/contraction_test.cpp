// Sums over two activations: whose quadrature it is, and that it is one.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/nn/module.h>

#include <functional>
#include <map>

#include "inn/dimension/quadrature_buffers.h"
#include "inn/grid/grid.h"
#include "inn/network/files.h"
#include "inn/resampling/maps.h"

namespace inn {
namespace {

constexpr int64_t kDepth = 65;
/// Cubic interpolation and the trapezoid on 33 points, of functions with two waves.
constexpr double kQuadratureTolerance = 2e-3;

class Weights : public torch::nn::Module {
 public:
  /// [rows, 6]: smooth functions of the row, 0 at both ends: there W/Q is twice as high as its neighbours, no
  /// smooth function.
  at::Tensor smooth(const std::string& name, int64_t rows, double phase) {
    const auto points = at::linspace(0, 1, rows, at::kDouble).unsqueeze(1);
    return register_parameter(
        name, 4 * points * (1 - points) * at::sin(5 * points + phase + at::arange(6, at::kDouble)));
  }
  at::Tensor random(const std::string& name, at::IntArrayRef sizes) {
    return register_parameter(name, at::randn(sizes, at::kDouble));
  }
};

/// The roles that a group has in a tensor, in the order of its members.
std::vector<MemberRole> roles(const Groups& groups, const std::string& group, const std::string& tensor) {
  std::vector<MemberRole> found;
  for (const auto& member : groups.groups[groups.find(group)].members)
    if (member.tensor == tensor) found.push_back(member.role);
  return found;
}

TEST(Contraction, OfQueriesWithKeysIsTheIntegralAtAnyWidth) {
  const at::NoGradGuard no_grad;
  const auto weights = std::make_shared<Weights>();
  const auto q = weights->smooth("q", kDepth, 0), k = weights->smooth("k", kDepth, 1);
  at::manual_seed(0);
  const auto tokens = at::randn({2, 4, 6}, at::kDouble);
  const auto scores = [&](const at::Tensor& x) {
    return at::matmul(at::linear(x, q), at::linear(x, k).transpose(1, 2));
  };
  const auto source = analyse(trace(*weights, scores, tokens));
  EXPECT_EQ(roles(source.groups, "k", "q"), (std::vector<MemberRole>{MemberRole::consume}));
  EXPECT_EQ(roles(source.groups, "k", "k"), (std::vector<MemberRole>{MemberRole::produce}));
  const auto id = source.groups.find("k");
  const auto expected = scores(tokens);
  for (const int64_t width : {33, 129}) {
    const auto half =
        resample(source, {{id, interpolation_maps(kDepth, uniform_points(width), find_kernel("cubic"),
                                                  find_quadrature("trapezoid"))}});
    const auto difference = (half.forward(tokens) - expected).abs().max() / expected.abs().max();
    EXPECT_LT(difference.item<double>(), kQuadratureTolerance) << width;
  }
}

/// One projection to queries, keys and values, as vision transformers have it.
TEST(Contraction, InAFusedProjectionOnlyTheQueriesTakeTheQuadrature) {
  const at::NoGradGuard no_grad;
  const auto weights = std::make_shared<Weights>();
  const auto qkv = weights->random("qkv", {3 * 2 * 4, 6}), bias = weights->random("qkv_bias", {24});
  const auto out = weights->random("out", {5, 8});
  const auto run = [&](const at::Tensor& x) {
    const auto parts = at::linear(x, qkv, bias).reshape({2, 7, 3, 2, 4}).permute({2, 0, 3, 1, 4}).unbind(0);
    const auto y = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
    return at::linear(y.transpose(1, 2).reshape({2, 7, 8}), out);
  };
  const auto source = analyse(trace(*weights, run, at::randn({2, 7, 6}, at::kDouble)));
  std::string depth;
  for (const auto& group : source.groups.groups)
    if (group.width == 4) depth = group.name;
  for (const auto* tensor : {"qkv", "qkv_bias"})
    EXPECT_EQ(roles(source.groups, depth, tensor),
              (std::vector<MemberRole>{MemberRole::consume, MemberRole::produce, MemberRole::produce}));
  EXPECT_EQ(roles(source.groups, depth, "out"), (std::vector<MemberRole>{MemberRole::consume}));
}

/// What a softmax made is an average already.
TEST(Contraction, AfterASoftmaxHasNoQuadrature) {
  const at::NoGradGuard no_grad;
  const auto weights = std::make_shared<Weights>();
  const auto q = weights->random("q", {8, 6}), k = weights->random("k", {8, 6}),
             v = weights->random("v", {8, 6});
  const auto run = [&](const at::Tensor& x) {
    const auto scores = at::matmul(at::linear(x, q).transpose(1, 2), at::linear(x, k)).softmax(-1);
    return at::matmul(scores, at::linear(x, v).transpose(1, 2)).mean(1);
  };
  const auto source = analyse(trace(*weights, run, at::randn({2, 7, 6}, at::kDouble)));
  for (const auto& group : source.groups.groups)
    for (const auto& member : group.members)
      EXPECT_TRUE(group.pinned || member.role == MemberRole::produce) << member.tensor;
}

/// A table that is looked up and summed over: what it gives is no sum, so its weights are not the table's.
TEST(Contraction, OfAWeightThatIsReadOtherwiseTooIsWeighedInTheOtherOperand) {
  const at::NoGradGuard no_grad;
  const auto weights = std::make_shared<Weights>();
  const auto table = weights->random("table", {7, 6}), gain = weights->random("gain", {6});
  const auto tokens = at::arange(10).remainder(7).view({2, 5});
  const auto run = [&](const at::Tensor& ids) {
    return at::linear(at::layer_norm(at::embedding(table, ids), {6}, gain), table);
  };
  const auto source = analyse(trace(*weights, run, tokens));
  EXPECT_EQ(roles(source.groups, "table:1", "table"), (std::vector<MemberRole>{MemberRole::produce}));
  EXPECT_EQ(roles(source.groups, "table:1", "gain"), (std::vector<MemberRole>{MemberRole::consume}));
  EXPECT_TRUE(source.groups.unweighted.empty());
}

TEST(Contraction, WithoutAnOperandOfItsOwnIsWeighedByABuffer) {
  const at::NoGradGuard no_grad;
  const auto weights = std::make_shared<Weights>();
  const auto shared = weights->random("shared", {8, 6});
  using Run = std::function<at::Tensor(const at::Tensor&)>;
  const std::map<std::string, std::pair<size_t, Run>> sums{
      {"tied",
       {1, [&](const at::Tensor& x) { return at::linear(at::tanh(at::linear(x, shared)), shared.t()); }}},
      {"sum", {1, [&](const at::Tensor& x) { return at::sigmoid(at::linear(x, shared)).sum(-1); }}},
      {"norm",
       {1, [&](const at::Tensor& x) { return at::linalg_vector_norm(at::linear(x, shared), 3, -1); }}},
      {"logsumexp", {1, [&](const at::Tensor& x) { return at::logsumexp(at::linear(x, shared), {-1}); }}},
      {"softmax",
       {1, [&](const at::Tensor& x) { return at::linear(x, shared).softmax(-1).square().mean(-1); }}},
      {"twice", {2, [&](const at::Tensor& x) {
                   const auto y = at::linear(x, shared);
                   return at::matmul(y, y.transpose(1, 2)) + at::cos(y).sum(-1, true);
                 }}}};
  const auto x = at::randn({2, 7, 6}, at::kDouble);
  for (const auto& [name, sum] : sums) {
    SCOPED_TRACE(name);
    const auto source = analyse(trace(*weights, sum.second, x));
    ASSERT_EQ(source.groups.unweighted.size(), sum.first);
    const auto weighed = add_quadrature_buffers(source, [](const UnweightedSum&) { return true; });
    weighed.network.validate();
    EXPECT_TRUE(weighed.groups.unweighted.empty());
    EXPECT_TRUE(at::equal(weighed.network.forward(x), source.network.forward(x)));
    // Written and read again, the buffers are known for what they are.
    const auto again = analyse(weighed.network);
    EXPECT_TRUE(again.groups.unweighted.empty());
    std::vector<Member> members;
    for (const auto& member :
         again.groups
             .groups[again.groups.find(again.groups.groups[0].width == 8 ? again.groups.groups[0].name
                                                                         : again.groups.groups[1].name)]
             .members)
      if (member.tensor.starts_with("quadrature")) members.push_back(member);
    ASSERT_EQ(members.size(), sum.first);
    for (const auto& member : members) EXPECT_EQ(member.role, MemberRole::consume);
  }
}

TEST(Contraction, OverChannelsAndTimesIsWeighedOnce) {
  const at::NoGradGuard no_grad;
  const auto weights = std::make_shared<Weights>();
  const auto q = weights->random("q", {8, 6}), k = weights->random("k", {8, 6});
  const auto run = [&](const at::Tensor& x) {
    const auto both = [&](const at::Tensor& weight) {
      return at::linear(x, weight).transpose(1, 2).flatten(1);
    };
    return at::matmul(both(q), both(k).t());
  };
  const auto source = analyse(trace(*weights, run, at::randn({2, 7, 6}, at::kDouble)));
  // As a linear layer of the keys' side, which comes first then.
  EXPECT_EQ(roles(source.groups, "q", "q"), (std::vector<MemberRole>{MemberRole::produce}));
  EXPECT_EQ(roles(source.groups, "q", "k"), (std::vector<MemberRole>{MemberRole::consume}));
}

/// A norm over the channels that are left is another norm: what is selected is the weight that it divided.
TEST(Contraction, WithAWeightThatIsDividedByItsNormKeepsTheWeight) {
  const at::NoGradGuard no_grad;
  const auto weights = std::make_shared<Weights>();
  const auto a = weights->random("a", {8, 6}), v = weights->random("v", {3, 8}),
             g = weights->random("g", {3, 1});
  const auto run = [&](const at::Tensor& x) {
    return at::linear(at::tanh(at::linear(x, a)), at::_weight_norm(v, g, 0));
  };
  const auto x = at::randn({2, 6}, at::kDouble);
  const auto source = analyse(trace(*weights, run, x));
  EXPECT_TRUE(at::equal(source.network.forward(x), run(x)));
  ASSERT_EQ(source.groups.notes.size(), 1u);
  EXPECT_NE(source.groups.notes[0].find("'v'"), std::string::npos) << source.groups.notes[0];
  const std::vector<int64_t> kept{0, 2, 5};
  const auto pruned = resample(source, {{source.groups.find("a"), selection_maps(8, kept)}});
  const auto index = at::tensor(kept);
  const auto expected = at::linear(at::tanh(at::linear(x, a.index_select(0, index))),
                                   at::_weight_norm(v, g, 0).index_select(1, index));
  EXPECT_LT((pruned.forward(x) - expected).abs().max().item<double>(), 1e-12);
}

TEST(Contraction, WithItselfHasNoQuadratureOfItsOwn) {
  const at::NoGradGuard no_grad;
  const auto weights = std::make_shared<Weights>();
  const auto both = weights->random("both", {8, 6});
  const auto run = [&](const at::Tensor& x) {
    const auto y = at::linear(x, both);
    return at::matmul(y, y.transpose(1, 2));
  };
  const auto source = analyse(trace(*weights, run, at::randn({2, 7, 6}, at::kDouble)));
  EXPECT_EQ(roles(source.groups, "both", "both"), (std::vector<MemberRole>{MemberRole::produce}));
}

TEST(Contraction, LeavesQueriesAloneThatSomethingElseReads) {
  const at::NoGradGuard no_grad;
  const auto weights = std::make_shared<Weights>();
  const auto q = weights->random("q", {8, 6}), k = weights->random("k", {8, 6});
  const auto run = [&](const at::Tensor& x) {
    const auto queries = at::linear(x, q);
    const auto scores = at::matmul(queries, at::linear(x, k).transpose(1, 2));
    return scores + at::relu(queries).mean(2, true);
  };
  const auto source = analyse(trace(*weights, run, at::randn({2, 7, 6}, at::kDouble)));
  EXPECT_EQ(roles(source.groups, "q", "q"), (std::vector<MemberRole>{MemberRole::produce}));
  EXPECT_EQ(roles(source.groups, "q", "k"), (std::vector<MemberRole>{MemberRole::consume}));
}

TEST(Contraction, ReachesThroughRotaryPositions) {
  const at::NoGradGuard no_grad;
  const auto weights = std::make_shared<Weights>();
  const auto q = weights->random("q", {8, 6}), k = weights->random("k", {8, 6});
  const auto table = weights->register_buffer("table", at::randn({7, 4}, at::kDouble));
  const auto run = [&](const at::Tensor& x) {
    const auto both = at::cat({table, table}, 1);
    const auto rotate = [&](const at::Tensor& y) {
      const auto halves = y.chunk(2, 2);
      return y * both.cos() + at::cat({-halves[1], halves[0]}, 2) * both.sin();
    };
    return at::matmul(rotate(at::linear(x, q)), rotate(at::linear(x, k)).transpose(1, 2));
  };
  const auto source = analyse(trace(*weights, run, at::randn({2, 7, 6}, at::kDouble)));
  ASSERT_EQ(source.groups.groups[source.groups.find("table:1")].width, 4);
  for (const auto role : roles(source.groups, "table:1", "q")) EXPECT_EQ(role, MemberRole::consume);
  for (const auto role : roles(source.groups, "table:1", "k")) EXPECT_EQ(role, MemberRole::produce);
}

}  // namespace
}  // namespace inn
