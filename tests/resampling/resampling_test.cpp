#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/nn/module.h>

#include <numeric>

#include "inn/grid/grid.h"
#include "inn/network/files.h"
#include "inn/ordering/path_cost.h"
#include "inn/resampling/maps.h"
#include "inn/resampling/rows.h"
#include "inn/resampling/verify.h"
#include "network_builder.h"

namespace inn {
namespace {

using test::NetworkBuilder;

constexpr double kRounding = 1e-12;  // float64, a few hundred operations

/// conv(3→4) → batch norm → relu → conv(4→6) → relu → mean → linear(6→5).
Network small_convolutional(int64_t seed = 0) {
  NetworkBuilder b(seed);
  auto x = b.input("x", {2, 3, 5, 5});
  x = b.call("aten::conv2d", "",
             {x,
              b.parameter("conv1.weight", {4, 3, 3, 3}),
              b.parameter("conv1.bias", {4}),
              {1, 1},
              {1, 1},
              {1, 1},
              1});
  x = b.batch_norm("bn1", x, 4);
  x = b.call("aten::relu", "", {x});
  x = b.call("aten::conv2d", "",
             {x, b.parameter("conv2.weight", {6, 4, 3, 3}), {}, {1, 1}, {1, 1}, {1, 1}, 1});
  x = b.call("aten::relu", "", {x});
  x = b.call("aten::mean", "dim", {x, {2, 3}, false, {}});
  x = b.call("aten::linear", "", {x, b.parameter("fc.weight", {5, 6}), b.parameter("fc.bias", {5})});
  return b.finish(x);
}

at::Tensor run(const Network& network) { return network.forward(random_inputs(network, 7)).at(0).toTensor(); }

TEST(Maps, AtTheSourceWidthAreExactlyTheIdentity) {
  for (const auto& kernel : kernel_names()) {
    const auto maps =
        interpolation_maps(7, uniform_points(7), find_kernel(kernel), find_quadrature("simpson"));
    EXPECT_TRUE(maps.produce.is_identity());
    EXPECT_TRUE(maps.consume.is_identity());
  }
}

TEST(Maps, ConsumeIsTheQuadratureOfTheInterpolatedWeightFunction) {
  // ∫ F a over a smooth F and a: Q-weighted control points at n, resampled to m, must approximate the same
  // integral.
  const int64_t n = 65, m = 33;
  const auto x = uniform_points(n), y = uniform_points(m);
  const auto q = quadrature_weights(find_quadrature("trapezoid"), x);
  const auto weights = q * at::sin(3 * x);
  const auto maps = interpolation_maps(n, y, find_kernel("cubic"), find_quadrature("trapezoid"));
  const double resampled = (maps.consume.apply(weights, 0) * at::exp(y)).sum().item<double>();
  const double source = (weights * at::exp(x)).sum().item<double>();
  constexpr double kTrapezoidError = 2e-3;  // h²/12 max|f''| with h = 1/32
  EXPECT_NEAR(resampled, source, kTrapezoidError);
}

TEST(Resample, SelectionIsTheNetworkWrittenAtThatWidth) {
  const auto source = analyse(small_convolutional());
  const auto id = source.groups.find("conv1");
  const std::vector<int64_t> kept{0, 2, 3};
  const Network cut = resample(source, {{id, selection_maps(4, kept)}});
  const auto at = [&](const Network& network, const char* name) {
    return network.state[network.find_state(name)].tensor;
  };
  const auto index = at::tensor(kept);
  EXPECT_TRUE(at::equal(at(cut, "conv1.weight"), at(source.network, "conv1.weight").index_select(0, index)));
  EXPECT_TRUE(
      at::equal(at(cut, "bn1.running_var"), at(source.network, "bn1.running_var").index_select(0, index)));
  EXPECT_TRUE(at::equal(at(cut, "conv2.weight"), at(source.network, "conv2.weight").index_select(1, index)));
  EXPECT_EQ(at(source.network, "conv1.weight").size(0), 4);  // the source is untouched
  cut.validate();
}

TEST(Resample, SharesParametersThatStayOnlyWhereAskedAndNeverBuffers) {
  const auto source = analyse(small_convolutional());
  const auto id = source.groups.find("conv2");
  for (const auto untouched : {Untouched::copied, Untouched::shared}) {
    const Network cut = resample(source, {{id, selection_maps(6, {1, 2})}}, untouched);
    for (size_t s = 0; s < cut.state.size(); ++s) {
      const auto& entry = source.network.state[s];
      const bool stays = cut.state[s].tensor.sizes() == entry.tensor.sizes();
      const bool may_be_shared =
          stays && entry.kind == StateEntry::Kind::parameter && untouched == Untouched::shared;
      EXPECT_EQ(cut.state[s].tensor.is_alias_of(entry.tensor), may_be_shared) << entry.name;
    }
  }
}

TEST(Resample, RemovingAChannelThatNobodyReadsChangesNothing) {
  Network network = small_convolutional();
  network.state[network.find_state("conv2.weight")].tensor.select(1, 1).zero_();
  const auto source = analyse(network);
  const Network cut = resample(source, {{source.groups.find("conv1"), selection_maps(4, {0, 2, 3})}});
  EXPECT_LT((run(cut) - run(network)).abs().max().item<double>(), kRounding);
}

TEST(Resample, RefusesPinnedGroupsAndWrongWidths) {
  const auto source = analyse(small_convolutional());
  EXPECT_THROW(resample(source, {{source.groups.find("x"), selection_maps(3, {0, 1})}}),
               std::invalid_argument);
  EXPECT_THROW(resample(source, {{source.groups.find("conv1"), selection_maps(5, {0, 1})}}),
               std::invalid_argument);
}

TEST(Resample, KeepsARunningVariancePositive) {
  Network network = small_convolutional();
  network.state[network.find_state("bn1.running_var")].tensor.copy_(
      at::tensor({5.0, 0.001, 0.001, 5.0}, at::kDouble));
  const auto source = analyse(network);
  const auto maps =
      interpolation_maps(4, uniform_points(9), find_kernel("cubic"), find_quadrature("trapezoid"));
  const Network wide = resample(source, {{source.groups.find("conv1"), maps}});
  EXPECT_GE(wide.state[wide.find_state("bn1.running_var")].tensor.min().item<double>(), 0.001);
}

TEST(Groups, OfASmallNetworkAreProved) {
  const auto source = analyse(small_convolutional());
  EXPECT_TRUE(source.groups.unknown_operators.empty());
  const auto verifications = verify_groups(source, {});
  ASSERT_EQ(verifications.size(), 2U);
  for (const auto& verification : verifications) {
    EXPECT_TRUE(verification.ok()) << verification.name << ": " << verification.failure;
    EXPECT_GT(verification.producer_effect, 1e-6) << verification.name << " reaches no output";
    EXPECT_EQ(verification.widths.size(), 3U);
  }
}

TEST(Groups, OfAUNetAreProved) {
  NetworkBuilder b(2);
  const auto convolve = [&](ValueRef x, const std::string& name, int64_t in, int64_t out) {
    const auto weight = b.parameter(name + ".weight", {out, in, 3, 3});
    return b.call("aten::relu", "", {b.call("aten::conv2d", "", {x, weight, {}, {1, 1}, {1, 1}, {1, 1}, 1})});
  };
  const auto down = convolve(b.input("x", {2, 3, 8, 8}), "down", 3, 4);
  const auto middle = convolve(b.call("aten::max_pool2d", "", {down, {2, 2}}), "middle", 4, 6);
  const auto up =
      b.call("aten::conv_transpose2d", "input",
             {middle, b.parameter("up.weight", {6, 5, 2, 2}), b.parameter("up.bias", {5}), {2, 2}});
  const auto joined = b.call("aten::cat", "", {std::vector<ValueRef>{down, up}, 1});
  const Network network = b.finish(convolve(joined, "head", 9, 2));
  const auto source = analyse(network);
  const auto& head = source.groups.axes[source.network.find_state("head.weight")][1];
  ASSERT_TRUE(head.is_sum());  // [down ⊕ up]
  EXPECT_EQ(head.parts[0].variable, static_cast<VariableId>(source.groups.find("down")));
  EXPECT_EQ(head.parts[1].variable, static_cast<VariableId>(source.groups.find("up")));
  const auto verifications = verify_groups(source, {});
  ASSERT_EQ(verifications.size(), 3U);
  for (const auto& verification : verifications)
    EXPECT_TRUE(verification.ok()) << verification.name << ": " << verification.failure;
}

TEST(Groups, ARuleOfOnesOwnFreesWhatAnUnknownOperatorPins) {
  NetworkBuilder b(3);
  const auto hidden = b.call("aten::linear", "", {b.input("x", {2, 3}), b.parameter("first.weight", {4, 3})});
  const auto network =
      b.finish(b.call("aten::linear", "",
                      {b.call("aten::special_expit", "", {hidden}), b.parameter("second.weight", {2, 4})}));
  const auto without = analyse(network);
  EXPECT_EQ(without.groups.unknown_operators.at("aten::special_expit"), 1);
  const auto& pinned = without.groups.groups[without.groups.find("first")].pinned;
  ASSERT_TRUE(pinned.has_value());
  EXPECT_NE(pinned->find("aten::special_expit"), std::string::npos) << *pinned;

  auto rules = RuleTable::standard();
  rules.add({"aten::special_expit", "result = f(self) elementwise",
             [](RuleContext& context) { context.set_result(context.axes("self")); }});
  const auto with = analyse(network, rules);
  EXPECT_TRUE(with.groups.unknown_operators.empty());
  EXPECT_FALSE(with.groups.groups[with.groups.find("first")].pinned.has_value());
  EXPECT_TRUE(verify_groups(with, {}).at(0).ok());
}

TEST(Groups, SizesThatDependOnDataAreRefusedByCallAndModule) {
  NetworkBuilder b(4);
  const auto hidden = b.call("aten::linear", "", {b.input("x", {2, 3}), b.parameter("first.weight", {4, 3})});
  auto network = b.finish(b.call("aten::nonzero", "", {hidden}));
  auto& call = network.calls.back();
  call.module = "block.1";
  network.values[call.results[0].values[0]].sizes = {-1, 2};  // as archives say that it is not known
  try {
    analyse(network);
    ADD_FAILURE() << "was analysed";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::string(error.what()),
              "[dimension] Call 'aten::nonzero' in module 'block.1': the size of its result depends on the "
              "data, which is not supported.");
  }
}

TEST(Groups, AreProvedWhereANetworkAmplifiesRounding) {
  // Products of activations: x ← x + a(x)·b(x), whose values grow with every layer where the weights do.
  NetworkBuilder b(5);
  auto x = b.call("aten::linear", "", {b.input("x", {4, 3}), b.parameter("stem.weight", {16, 3})});
  for (int layer = 0; layer < 12; ++layer) {
    const auto side = [&](const char* name) {
      const auto weight = b.parameter(fmt::format("{}{}.weight", name, layer), {16, 16});
      return b.call("aten::relu6", "", {b.call("aten::linear", "", {x, weight})});
    };
    x = b.call("aten::add", "Tensor", {x, b.call("aten::mul", "Tensor", {side("a"), side("b")})});
  }
  const auto source = analyse(b.finish(b.call("aten::linear", "", {x, b.parameter("out.weight", {2, 16})})));
  for (const auto& verification : verify_groups(source, {})) {
    EXPECT_TRUE(verification.ok()) << verification.name << ": " << verification.failure;
    EXPECT_GT(verification.producer_effect, 1e-6) << verification.name;
  }
}

TEST(Groups, OfANetworkOfTwoDtypesAreProved) {
  // As language models are stored: weights in bfloat16, the norm computed in float32.
  for (const auto& [weights, norms] :
       {std::pair{at::kBFloat16, at::kFloat}, std::pair{at::kFloat, at::kHalf}}) {
    torch::nn::Module module;
    const auto parameter = [&](const char* name, at::IntArrayRef sizes) {
      return module.register_parameter(name, at::randn(sizes).to(weights), false);
    };
    const auto stem = parameter("stem", {12, 4}), gain = parameter("gain", {12}),
               up = parameter("up", {9, 12}), head = parameter("head", {3, 9});
    const auto run = [&](const at::Tensor& x) {
      auto y = at::linear(x, stem).to(norms);
      y = (y * at::rsqrt(y.square().mean(-1, true) + 1e-5)).to(weights) * gain;
      return at::linear(at::silu(at::linear(y, up)), head).to(norms);
    };
    const auto source = analyse(trace(module, run, at::randn({5, 4}).to(weights)));
    const auto verifications = verify_groups(source, {});
    ASSERT_EQ(verifications.size(), 2u);
    for (const auto& verification : verifications) {
      EXPECT_TRUE(verification.ok()) << verification.name << ": " << verification.failure;
      EXPECT_GT(verification.producer_effect, 1e-6);
    }
  }
}

TEST(Groups, AreProvedWhereDropoutIsAlwaysOn) {
  NetworkBuilder b(6);
  auto x = b.call("aten::linear", "", {b.input("x", {4, 3}), b.parameter("fc.weight", {8, 3})});
  x = b.call("aten::dropout", "", {b.call("aten::dropout", "", {x, 0.5, true}), 0.5, false});
  Network network = b.finish(b.call("aten::linear", "", {x, b.parameter("out.weight", {2, 8})}));
  const auto verifications = verify_groups(analyse(std::move(network)), {});
  ASSERT_EQ(verifications.size(), 1u);
  EXPECT_TRUE(verifications[0].ok()) << verifications[0].failure;
}

TEST(Groups, AWrongGroupIsFound) {
  auto source = analyse(small_convolutional());
  // Forget that conv2 reads conv1's channels.
  const auto id = source.groups.find("conv1");
  const auto state = source.network.find_state("conv2.weight");
  source.groups.axes[state][1] = AxisStructure::of_constant(4);
  const auto verifications = verify_groups(source, {});
  EXPECT_FALSE(verifications.at(id == verifications.at(0).group ? 0 : 1).ok());
}

TEST(MemberRows, AreTheSlicesOfEachChannel) {
  const auto source = analyse(small_convolutional());
  const auto& group = source.groups.groups[source.groups.find("conv1")];
  for (const auto& member : group.members) {
    const auto& tensor = source.network.state[member.state].tensor;
    const auto rows = member_rows(source.network, member, group.width);
    for (int64_t c = 0; c < group.width; ++c)
      EXPECT_TRUE(at::equal(rows[c], tensor.select(member.axis, c).flatten())) << member.tensor;
  }
}

TEST(SmoothOrder, IsAPermutationThatShortensTheVariation) {
  const auto source = analyse(small_convolutional());
  const auto id = source.groups.find("conv2");
  auto order = smooth_order(source, id, 0);
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3, 4, 5}));
}

TEST(SmoothOrder, HasNothingToGainFromTheOrderOfOtherGroups) {
  const auto source = analyse(small_convolutional());
  const auto first = source.groups.find("conv1"), second = source.groups.find("conv2");
  const auto cost_of = [&](const Network& network) {
    std::vector<at::Tensor> rows;
    for (const auto& member : source.groups.groups[second].members)
      rows.push_back(member_rows(network, member, source.groups.groups[second].width));
    return path_cost(rows);
  };
  std::vector<int64_t> reversed(static_cast<size_t>(source.groups.groups[first].width));
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  const auto width = static_cast<int64_t>(reversed.size());
  const Network permuted = resample(source, {{first, selection_maps(width, reversed)}});
  constexpr double kRoundingOfSums = 1e-6;
  EXPECT_LT((cost_of(permuted) - cost_of(source.network)).abs().max().item<double>(), kRoundingOfSums);
}

}  // namespace
}  // namespace inn
