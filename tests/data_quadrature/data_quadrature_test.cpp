// Networks resampled by the quadrature of data, where the right answer is known.

#include "inn/data_quadrature/data_quadrature.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "inn/network/files.h"
#include "inn/resampling/folding.h"
#include "network_builder.h"

namespace inn {
namespace {

using test::NetworkBuilder;

constexpr double kExact = 1e-5;              // what "without loss" is held to
constexpr double kSummationRounding = 1e-6;  // sums over batches of another size

/// Samples of noise, in batches of any size.
Calibration noise(std::vector<int64_t> sizes, int64_t samples, int64_t batch, uint64_t seed = 0) {
  at::manual_seed(seed);
  sizes.insert(sizes.begin(), samples);
  const at::Tensor x = at::randn(sizes, at::kDouble);
  return {.batch = [=](int64_t index) -> std::optional<CalibrationBatch> {
    if (index * batch >= samples) return std::nullopt;
    return CalibrationBatch{{x.narrow(0, index * batch, std::min(batch, samples - index * batch))}};
  }};
}

/// conv → norm → relu → conv, added to its input, → norm → relu → mean → linear.
Network residual_network(uint64_t seed, int64_t width) {
  NetworkBuilder b(seed);
  auto x = b.input("x", {2, 3, 6, 6});
  x = b.call("aten::conv2d", "", {x, b.parameter("stem.weight", {5, 3, 3, 3}), {}, {1, 1}, {1, 1}});
  auto y = b.call("aten::conv2d", "", {x, b.parameter("first.weight", {width, 5, 3, 3}), {}, {1, 1}, {1, 1}});
  y = b.call("aten::relu", "", {b.batch_norm("norm", y, width)});
  y = b.call("aten::conv2d", "", {y, b.parameter("second.weight", {5, width, 3, 3}), {}, {1, 1}, {1, 1}});
  x = b.call("aten::relu", "", {b.call("aten::add", "Tensor", {b.batch_norm("norm2", y, 5), x})});
  x = b.call("aten::mean", "dim", {x, {2, 3}});
  return b.finish(
      b.call("aten::linear", "", {x, b.parameter("head.weight", {4, 5}), b.parameter("head.bias", {4})}));
}

/// The group whose channels the tensor's axis 0 holds.
GroupId group_of(const AnalysedNetwork& source, const std::string& tensor) {
  for (GroupId id = 0; id < source.groups.groups.size(); ++id)
    for (const auto& member : source.groups.groups[id].members)
      if (member.tensor == tensor && member.axis == 0) return id;
  throw std::logic_error(tensor);
}

double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

double output_error(const Network& network, const Network& source, std::vector<int64_t> sizes) {
  at::manual_seed(99);
  sizes.insert(sizes.begin(), 16);
  const at::Tensor x = at::randn(sizes, at::kDouble);
  Network plain = source;
  plain.set_training(false);
  return relative_difference(network.forward(x), plain.forward(x));
}

/// Of the outputs, on images that nothing was fit to.
double mean_square_error(const Network& network, const Network& source) {
  at::manual_seed(98);
  const at::Tensor x = at::randn({256, 3, 6, 6}, at::kDouble);
  Network plain = source;
  plain.set_training(false);
  return (network.forward(x) - plain.forward(x)).square().mean().item<double>();
}

TEST(DataQuadrature, SourceWidthsGiveTheSourceNetwork) {
  const auto source = analyse(residual_network(1, 6));
  const auto id = group_of(source, "first.weight");
  const auto made = resample(source, {{id, 6}}, noise({3, 6, 6}, 12, 4));
  EXPECT_TRUE(made.layers.empty());
  for (size_t s = 0; s < source.network.state.size(); ++s)
    EXPECT_TRUE(at::equal(made.network.state[s].tensor, source.network.state[s].tensor));
}

TEST(DataQuadrature, StepsOnAllLayersLowerTheErrorOnOtherImages) {
  const auto source = analyse(residual_network(7, 8));
  const std::map<GroupId, int64_t> widths{{group_of(source, "first.weight"), 3}};
  const auto images = noise({3, 6, 6}, 400, 50);
  const auto before = resample(source, widths, images);
  const auto after = resample(source, widths, images, {.together = {.steps = 2, .iterations = 6}});
  EXPECT_LT(after.together_gain, 1);
  EXPECT_LT(mean_square_error(after.network, source.network),
            mean_square_error(before.network, source.network));
  // Nothing to mend, nothing changed.
  Network same = source.network;
  EXPECT_EQ(refit_together(same, source, {}, images), 1);
  EXPECT_THROW(refit_together(same, source, {}, images, {.held_out_every = 1}), std::invalid_argument);
}

TEST(DataQuadrature, HoldsOneOfVeryFewSamplesOut) {
  const auto source = analyse(residual_network(8, 6));
  const std::map<GroupId, int64_t> widths{{group_of(source, "first.weight"), 3}};
  for (const int64_t samples : {2, 3, 4})
    for (const auto& layer : resample(source, widths, noise({3, 6, 6}, samples, 2)).layers)
      EXPECT_GT(layer.held_out_before, 0) << samples << ' ' << layer.layer;
  // Of one sample none is held out, and the greatest ridge is taken.
  const auto one = resample(source, widths, noise({3, 6, 6}, 1, 1));
  for (const auto& layer : one.layers) EXPECT_EQ(layer.ridge, RefitOptions().ridges.back()) << layer.layer;
}

TEST(DataQuadrature, DuplicatedChannelsGoWithoutLoss) {
  Network network = residual_network(2, 6);
  auto& state = network.state;
  for (const char* name :
       {"first.weight", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"}) {
    auto& tensor = state[network.find_state(name)].tensor;
    tensor.narrow(0, 3, 3).copy_(tensor.narrow(0, 0, 3));
  }
  auto& reading = state[network.find_state("second.weight")].tensor;
  reading.narrow(1, 3, 3).copy_(reading.narrow(1, 0, 3));
  const auto source = analyse(network);
  const auto made = resample(source, {{group_of(source, "first.weight"), 3}}, noise({3, 6, 6}, 24, 8));
  EXPECT_LE(output_error(made.network, source.network, {3, 6, 6}), kExact);
}

TEST(DataQuadrature, ALinearNetworkOfRankRIsExactAtWidthR) {
  NetworkBuilder b(3);
  auto x = b.input("x", {2, 10});
  const auto low = at::randn({8, 3}, at::kDouble), high = at::randn({3, 10}, at::kDouble);
  x = b.call("aten::linear", "",
             {x, b.state("first.weight", at::mm(low, high), StateEntry::Kind::parameter)});
  const auto network = b.finish(b.call("aten::linear", "", {x, b.parameter("second.weight", {5, 8})}));
  const auto source = analyse(network);
  const auto made = resample(source, {{group_of(source, "first.weight"), 3}}, noise({10}, 50, 10));
  EXPECT_LE(output_error(made.network, source.network, {10}), kExact);
}

TEST(DataQuadrature, RefitsLowerTheErrorOfEachLayer) {
  const auto source = analyse(residual_network(4, 8));
  const auto made = resample(source, {{group_of(source, "first.weight"), 4}}, noise({3, 6, 6}, 60, 20));
  ASSERT_FALSE(made.layers.empty());
  for (const auto& layer : made.layers) EXPECT_LE(layer.error_after, layer.error_before) << layer.layer;
  EXPECT_EQ(made.layers.front().layer, "second.weight");
  EXPECT_EQ(made.layers.front().target, "the residual sum that it ends in");
}

TEST(DataQuadrature, RefitsBringTheNetworkNearerToItsSource) {
  const auto source = analyse(residual_network(5, 8));
  const std::map<GroupId, int64_t> widths{{group_of(source, "first.weight"), 4}};
  const auto data = noise({3, 6, 6}, 100, 20);
  const auto refit = resample(source, widths, data),
             plain = resample(source, widths, data, {.refits = false});
  EXPECT_LT(output_error(refit.network, source.network, {3, 6, 6}),
            output_error(plain.network, source.network, {3, 6, 6}));
}

TEST(DataQuadrature, GaussNewtonStepsLowerTheErrorOfBlocks) {
  double with_steps = 0, without_steps = 0;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const auto source = analyse(residual_network(20 + seed, 8));
    const std::map<GroupId, int64_t> widths{{group_of(source, "first.weight"), 4}};
    const auto data = noise({3, 6, 6}, 200, 20, seed);
    const auto with = resample(source, widths, data);
    const auto without = resample(source, widths, data, {.refit = {.gauss_newton_steps = 0}});
    EXPECT_LT(with.layers.front().block_gain, 1);
    EXPECT_EQ(without.layers.front().block_gain, 1);
    with_steps += mean_square_error(with.network, source.network);
    without_steps += mean_square_error(without.network, source.network);
  }
  EXPECT_LT(with_steps, without_steps);
}

TEST(DataQuadrature, DoesNotDependOnBatchesNorOnWhatIsHeld) {
  const auto source = analyse(residual_network(6, 8));
  const std::map<GroupId, int64_t> widths{{group_of(source, "first.weight"), 4},
                                          {group_of(source, "stem.weight"), 3}};
  const auto first = resample(source, widths, noise({3, 6, 6}, 60, 7));
  const auto other = resample(source, widths, noise({3, 6, 6}, 60, 60), {.refit = {.memory = 0}});
  for (size_t s = 0; s < source.network.state.size(); ++s)
    if (source.network.state[s].tensor.is_floating_point()) {
      EXPECT_LE(relative_difference(first.network.state[s].tensor, other.network.state[s].tensor),
                kSummationRounding)
          << source.network.state[s].name;
    }
  const auto again = resample(source, widths, noise({3, 6, 6}, 60, 7));
  for (size_t s = 0; s < source.network.state.size(); ++s)
    EXPECT_TRUE(at::equal(first.network.state[s].tensor, again.network.state[s].tensor));
}

TEST(DataQuadrature, InPlaceActivationsGiveTheSame) {
  Network plain = residual_network(7, 8), in_place = plain;
  for (auto& call : in_place.calls)
    if (call.op == "aten::relu") call.op = "aten::relu_";
  const auto data = noise({3, 6, 6}, 40, 10);
  const auto of = [&](const Network& network) {
    const auto source = analyse(network);
    return resample(source, {{group_of(source, "first.weight"), 4}}, data).network;
  };
  const at::Tensor x = at::randn({4, 3, 6, 6}, at::kDouble);
  EXPECT_LE(relative_difference(of(in_place).forward(x), of(plain).forward(x)), kSummationRounding);
}

TEST(DataQuadrature, WidthsThatItCannotGiveAreRefused) {
  const auto source = analyse(residual_network(8, 6));
  const auto id = group_of(source, "first.weight");
  const auto data = noise({3, 6, 6}, 8, 8);
  EXPECT_THROW(resample(source, {{id, 7}}, data), std::invalid_argument);
  EXPECT_THROW(resample(source, {{id, 0}}, data), std::invalid_argument);
  EXPECT_THROW(resample(source, {{group_of(source, "head.weight"), 2}}, data), std::invalid_argument);
  EXPECT_THROW(resample(source, {{id, 3}}, Calibration{}), std::invalid_argument);
  EXPECT_THROW(resample(source, {{id, 3}}, noise({3, 6, 6}, 0, 8)), std::invalid_argument);
}

TEST(DataQuadrature, ActivationsThatAreNotFiniteAreNamed) {
  Network network = residual_network(9, 6);
  network.state[network.find_state("stem.weight")].tensor[0][0][0][0] =
      std::numeric_limits<double>::quiet_NaN();
  const auto source = analyse(network);
  try {
    resample(source, {{group_of(source, "first.weight"), 3}}, noise({3, 6, 6}, 8, 8));
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("must be finite"));
  }
}

TEST(DataQuadrature, DeadChannelsAndFewSamplesStayStable) {
  Network network = residual_network(10, 6);
  network.state[network.find_state("norm.weight")].tensor.narrow(0, 0, 2).zero_();
  network.state[network.find_state("norm.bias")].tensor.narrow(0, 0, 2).fill_(-1);
  const auto source = analyse(network);
  const auto made = resample(source, {{group_of(source, "first.weight"), 4}}, noise({3, 6, 6}, 2, 1));
  for (const auto& entry : made.network.state) {
    const bool finite = !entry.tensor.is_floating_point() || at::isfinite(entry.tensor).all().item<bool>();
    EXPECT_TRUE(finite) << entry.name;
  }
}

TEST(DataQuadrature, ConstantInputsStayStable) {
  const auto source = analyse(residual_network(10, 6));
  const at::Tensor x = at::ones({20, 3, 6, 6}, at::kDouble);
  const Calibration constant{.batch = [&](int64_t index) -> std::optional<CalibrationBatch> {
    return index == 0 ? std::optional(CalibrationBatch{{x}}) : std::nullopt;
  }};
  const auto made = resample(source, {{group_of(source, "first.weight"), 4}}, constant);
  EXPECT_LE(relative_difference(made.network.forward(x), source.network.forward(x)), 0.1);
  EXPECT_TRUE(at::isfinite(made.network.forward(at::randn({4, 3, 6, 6}, at::kDouble))).all().item<bool>());
}

TEST(Folding, ChannelsThatAreAlikeFoldWithoutLoss) {
  Network network = residual_network(11, 6);
  for (const char* name :
       {"first.weight", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"}) {
    auto& tensor = network.state[network.find_state(name)].tensor;
    tensor.narrow(0, 3, 3).copy_(tensor.narrow(0, 0, 3));
  }
  const auto source = analyse(network);
  const auto id = group_of(source, "first.weight");
  const auto clusters = channel_clusters(source, id, 3, 0);
  EXPECT_EQ(clusters, (std::vector<int64_t>{0, 1, 2, 0, 1, 2}));
  EXPECT_LE(output_error(resample(source, {{id, folding_maps(clusters)}}), source.network, {3, 6, 6}), 1e-12);
}

TEST(Folding, EveryClusterHasAChannel) {
  const auto source = analyse(residual_network(12, 7));
  const auto id = group_of(source, "first.weight");
  for (int64_t count = 1; count <= 7; ++count) {
    const auto clusters = channel_clusters(source, id, count, 3);
    EXPECT_EQ(std::set<int64_t>(clusters.begin(), clusters.end()).size(), static_cast<size_t>(count));
  }
  EXPECT_THROW(channel_clusters(source, id, 8, 0), std::invalid_argument);
}

}  // namespace
}  // namespace inn
