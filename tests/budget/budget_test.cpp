// Widths for budgets, against all widths there are; costs, against networks that were resampled.

#include "inn/budget/budget.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "inn/budget/error_curves.h"
#include "inn/budget/latency_table.h"
#include "inn/budget/resample_to_budget.h"
#include "inn/cost/cost.h"
#include "inn/data_quadrature/data_quadrature.h"
#include "inn/resampling/maps.h"
#include "network_builder.h"
#include "temporary_folder.h"

namespace inn {
namespace {

using test::NetworkBuilder;

/// Three layers with two groups between them, and a grouped convolution.
AnalysedNetwork three_layers() {
  NetworkBuilder b(1);
  auto x = b.input("x", {2, 3, 8, 8});
  x = b.call(
      "aten::relu", "",
      {b.call("aten::conv2d", "", {x, b.parameter("a.weight", {6, 3, 3, 3}), b.parameter("a.bias", {6})})});
  x = b.call("aten::relu", "", {b.call("aten::conv2d", "", {x, b.parameter("b.weight", {8, 6, 3, 3})})});
  x = b.call("aten::mean", "dim", {x, {2, 3}});
  return analyse(b.finish(b.call("aten::linear", "", {x, b.parameter("c.weight", {5, 8})})));
}

GroupId group_written_by(const AnalysedNetwork& source, const std::string& tensor) {
  for (GroupId id = 0; id < source.groups.groups.size(); ++id)
    for (const auto& member : source.groups.groups[id].members)
      if (member.tensor == tensor && member.axis == 0) return id;
  throw std::logic_error(tensor);
}

AnalysedNetwork cut(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths) {
  std::map<GroupId, GroupMaps> maps;
  for (const auto& [id, width] : widths) {
    maps.emplace(id, first_channels(source.groups.groups[id].width, width));
  }
  return {resample(source, maps), source.groups};
}

TEST(WidthCost, IsWhatTheResampledNetworkCosts) {
  const auto source = three_layers();
  const auto first = group_written_by(source, "a.weight"), second = group_written_by(source, "b.weight");
  for (const int64_t m : {1, 4, 6})
    for (const int64_t k : {2, 8}) {
      auto widths = source_widths(source.groups);
      widths[first] = m;
      widths[second] = k;
      const auto report = cost_of(cut(source, {{first, m}, {second, k}}).network);
      EXPECT_DOUBLE_EQ(multiply_add_cost(source)(widths), static_cast<double>(report.macs));
      EXPECT_DOUBLE_EQ(parameter_cost(source)(widths), static_cast<double>(report.parameters));
    }
}

TEST(WidthCost, ReadsLinearlyBetweenKnownWidths) {
  const std::map<int64_t, double> known{{2, 1.}, {6, 3.}};
  EXPECT_DOUBLE_EQ(read_linearly(known, 3), 1.5);
  EXPECT_DOUBLE_EQ(read_linearly(known, 6), 3);
  EXPECT_DOUBLE_EQ(read_linearly(known, 1), 1);
  EXPECT_DOUBLE_EQ(read_linearly(known, 9), 3);
}

TEST(WidthCost, LatencyAddsUpWhatEachGroupSaves) {
  const LatencyTable table{10, {{0, {{2, 6.}, {4, 10.}}}, {1, {{1, 7.}, {3, 9.}, {5, 10.}}}}};
  const auto cost = latency_cost(table);
  EXPECT_DOUBLE_EQ(cost({4, 5}), 10);
  EXPECT_DOUBLE_EQ(cost({3, 5}), 8);
  EXPECT_DOUBLE_EQ(cost({2, 2}), 10 - 4 - 2);
  EXPECT_DOUBLE_EQ(cost({1, 5}), 6);
}

TEST(Budget, IsMetWithNearlyTheLeastErrorThatThereIs) {
  const auto source = three_layers();
  const auto first = group_written_by(source, "a.weight"), second = group_written_by(source, "b.weight");
  std::map<GroupId, ErrorCurve> curves;
  for (int64_t w = 1; w <= 6; ++w) curves[first][w] = 0.3 * std::exp(-0.5 * static_cast<double>(w));
  for (int64_t w = 1; w <= 8; ++w) curves[second][w] = std::exp(-0.8 * static_cast<double>(w));
  curves[first][6] = curves[second][8] = 0;
  const auto cost = multiply_add_cost(source);
  for (const double fraction : {0.9, 0.6, 0.4, 0.2}) {
    const auto found = widths_for_budget(source, curves, cost, {Budget::Of::macs, fraction});
    EXPECT_LE(found.cost, fraction * found.source_cost);
    double best = std::numeric_limits<double>::infinity(), worst = 0;
    for (int64_t m = 1; m <= 6; ++m)
      for (int64_t k = 1; k <= 8; ++k) {
        auto widths = source_widths(source.groups);
        widths[first] = m;
        widths[second] = k;
        if (cost(widths) > fraction * found.source_cost) continue;
        best = std::min(best, curves[first][m] + curves[second][k]);
        worst = std::max(worst, curves[first][m] + curves[second][k]);
      }
    const double error = curves[first][found.widths.at(first)] + curves[second][found.widths.at(second)];
    // One channel at a time is no search of all widths: near the best of what the budget allows.
    EXPECT_LE(error - best, 0.1 * (worst - best)) << fraction;
  }
}

TEST(Budget, LimitsHold) {
  const auto source = three_layers();
  const auto first = group_written_by(source, "a.weight"), second = group_written_by(source, "b.weight");
  const std::map<GroupId, ErrorCurve> curves{{first, {{1, 1.}, {6, 0.}}}, {second, {{1, 1.}, {8, 0.}}}};
  const auto found = widths_for_budget(source, curves, parameter_cost(source), {Budget::Of::parameters, 0.5},
                                       {.round_to = 2, .min_width = 4});
  for (const auto& [id, width] : found.widths) {
    EXPECT_EQ(width % 2, 0);
    EXPECT_GE(width, 4);
  }
}

TEST(Budget, ThatCannotBeMetSaysWhatCan) {
  const auto source = three_layers();
  const auto second = group_written_by(source, "b.weight");
  const std::map<GroupId, ErrorCurve> curves{{second, {{1, 1.}, {8, 0.}}}};
  try {
    widths_for_budget(source, curves, parameter_cost(source), {Budget::Of::parameters, 10, false});
    FAIL();
  } catch (const std::invalid_argument& error) {
    // 162 weights and 6 biases of a; 54 of b and 5 of c for one channel.
    EXPECT_THAT(error.what(), testing::HasSubstr("227"));
  }
  EXPECT_THROW(widths_for_budget(source, {}, parameter_cost(source), {}), std::invalid_argument);
}

TEST(Budget, IsReadFromText) {
  const auto half = Budget::parse("macs=0.5");
  EXPECT_EQ(half.of, Budget::Of::macs);
  EXPECT_TRUE(half.is_fraction);
  EXPECT_DOUBLE_EQ(half.amount, 0.5);
  const auto some = Budget::parse("params=100k");
  EXPECT_EQ(some.of, Budget::Of::parameters);
  EXPECT_FALSE(some.is_fraction);
  EXPECT_DOUBLE_EQ(some.amount, 1e5);
  EXPECT_DOUBLE_EQ(Budget::parse("latency=5ms").amount, 5e-3);
  EXPECT_DOUBLE_EQ(Budget::parse("macs=20000000").amount, 2e7);
  EXPECT_EQ(Budget::parse("memory=0.5").of, Budget::Of::memory);
  EXPECT_DOUBLE_EQ(Budget::parse("memory=2MB").amount, 2e6);
  EXPECT_EQ(Budget::parse("agreement=0.98").of, Budget::Of::agreement);
  EXPECT_EQ(Budget::parse("accuracy=0.9").of, Budget::Of::accuracy);
  EXPECT_DOUBLE_EQ(Budget::parse("accuracy=-1.5").amount, -1.5);
  for (const char* text :
       {"",           "accuracy",  "accuracy=1.2", "accuracy=-x", "accuracy=-101", "accuracy=--1",
        "macs",       "macs=",     "macs=0",       "macs=-1",     "macs=half",     "flops=0.5",
        "params=5ms", "latency=5", "latency=5k",   "memory=5",    "agreement=1.2", "agreement=1k",
        "macs=nan",   "macs=1e999"})
    EXPECT_THROW(Budget::parse(text), std::invalid_argument) << text;
}

/// The state, and the peak of the activations of one image, as they are measured.
double measured_memory(const Network& network) {
  double bytes = static_cast<double>(peak_memory(network, example_inputs(network, 1)).bytes);
  for (const auto& entry : network.state) bytes += static_cast<double>(entry.tensor.nbytes());
  return bytes;
}

TEST(Budget, OfMemoryIsMetByTheNetworkThatIsMade) {
  const auto source = three_layers();
  const auto first = group_written_by(source, "a.weight"), second = group_written_by(source, "b.weight");
  std::map<GroupId, ErrorCurve> curves;
  for (int64_t w = 1; w <= 6; ++w) curves[first][w] = 0.3 * static_cast<double>(6 - w);
  for (int64_t w = 1; w <= 8; ++w) curves[second][w] = 0.1 * static_cast<double>(8 - w);
  const double all = measured_memory(source.network);
  for (const double fraction : {0.9, 0.7, 0.5}) {
    const auto widths =
        widths_within_budget(source, curves, {Budget::Of::memory, fraction}, {}, {.rechecks = 0});
    const double now = measured_memory(cut(source, widths).network);
    EXPECT_LE(now, fraction * all);
    // Not far below: one channel more of either group would be too much, or be beyond its width.
    double least = std::numeric_limits<double>::infinity();
    for (const auto& [id, width] : widths) {
      auto more = widths;
      if (width == source.groups.groups[id].width) continue;
      ++more[id];
      least = std::min(least, measured_memory(cut(source, more).network));
    }
    EXPECT_GT(least, 0.85 * fraction * all) << fraction;
  }
  EXPECT_THROW(widths_within_budget(source, curves, {Budget::Of::memory, 100, false}, {}, {.rechecks = 0}),
               std::invalid_argument);
  EXPECT_THROW(widths_within_budget(source, curves, {Budget::Of::agreement, 0.9}, {}, {.rechecks = 0}),
               std::invalid_argument);
}

/// Images of noise, in batches of ten.
Calibration noise_images(int64_t count) {
  at::manual_seed(3);
  const at::Tensor x = at::randn({count, 3, 8, 8}, at::kDouble);
  return {.batch = [=](int64_t index) -> std::optional<CalibrationBatch> {
    if (10 * index >= count) return std::nullopt;
    return CalibrationBatch{{x.narrow(0, 10 * index, 10)}};
  }};
}

TEST(ErrorCurves, FallToNothingAtTheSourceWidth) {
  const auto source = three_layers();
  const auto first = group_written_by(source, "a.weight");
  const auto curves = error_curves(source, {first}, noise_images(40), {.fractions = {0.2, 0.5, 0.8}});
  const auto& curve = curves.at(first);
  ASSERT_EQ(curve.size(), 6u);
  EXPECT_EQ(curve.at(6), 0);
  for (const auto& [width, error] : curve) EXPECT_GE(error, 0) << width;
  EXPECT_GT(curve.at(1), curve.at(5));
}

TEST(JointWidths, AreMendedWhereCurvesMislead) {
  auto source = three_layers();
  const auto first = group_written_by(source, "a.weight"), second = group_written_by(source, "b.weight");
  // All channels of the second group are its first two: nothing is lost there.
  auto& writing = source.network.state[source.network.find_state("b.weight")].tensor;
  for (int64_t c = 2; c < 8; c += 2) writing.narrow(0, c, 2).copy_(writing.narrow(0, 0, 2));
  const auto data = noise_images(160);
  const CurveOptions options{.samples = 80};
  // As if it were the other way round.
  std::map<GroupId, ErrorCurve> curves;
  for (int64_t w = 1; w <= 6; ++w) curves[first][w] = 0.1 * static_cast<double>(6 - w);
  for (int64_t w = 1; w <= 8; ++w) curves[second][w] = static_cast<double>(8 - w);
  const auto cost = multiply_add_cost(source);
  const ChooseWidths choose = [&](const auto& now) {
    return widths_for_budget(source, now, cost, {Budget::Of::macs, 0.4}).widths;
  };
  const auto misled = choose(curves);
  const auto found = choose_jointly(source, curves, choose, data, 5, options);
  EXPECT_LT(found.error, 0.9 * found.first_error);
  EXPECT_GT(found.widths.at(first), misled.at(first));
  // The errors are those of networks that were cut together, on images that they were not fit to.
  const auto error = [&](const std::map<GroupId, int64_t>& widths) {
    const auto made =
        resample(source, widths, noise_images(80), {.refit = {.positions = 64, .gauss_newton_steps = 0}});
    const at::Tensor x = at::randn({200, 3, 8, 8}, at::kDouble);
    const at::Tensor wanted = source.network.forward(x);
    return ((made.network.forward(x) - wanted).square().sum() / (wanted - wanted.mean()).square().sum())
        .item<double>();
  };
  EXPECT_LT(error(found.widths), error(misled));
}

TEST(JointWidths, AreThoseOfTheCurvesWithoutARound) {
  const auto source = three_layers();
  const auto first = group_written_by(source, "a.weight");
  const ChooseWidths choose = [&](const auto&) { return std::map<GroupId, int64_t>{{first, 3}}; };
  const auto found = choose_jointly(source, {{first, {{1, 1.}, {6, 0.}}}}, choose, noise_images(40), 0);
  EXPECT_EQ(found.widths.at(first), 3);
  EXPECT_EQ(found.error, found.first_error);
}

TEST(ResampleToBudget, MeetsTheBudgetInOneCall) {
  const auto source = three_layers();
  const auto made = resample_to_budget(source, Budget::parse("macs=0.5"), noise_images(60), {},
                                       {.rechecks = 0, .curves = {.fractions = {0.3, 0.7}, .samples = 30}});
  EXPECT_LE(2 * cost_of(made.network).macs, cost_of(source.network).macs);
  EXPECT_GT(made.groups.size(), 0u);
  const auto kept =
      resample_to_budget(source, Budget::parse("macs=1"), noise_images(60), {}, {.rechecks = 0});
  const at::Tensor x = at::randn({4, 3, 8, 8}, at::kDouble);
  EXPECT_TRUE(kept.network.forward(x).equal(source.network.forward(x)));
}

TEST(LatencyTable, IsReadAsItWasWrittenAndRefusesAnotherNetwork) {
  const TemporaryFolder folder;
  const auto source = three_layers();
  const auto first = group_written_by(source, "a.weight"), second = group_written_by(source, "b.weight");
  const LatencyTable table{0.25, {{first, {{3, 0.125}, {6, 0.25}}}}};
  write_latency_table(table, source.groups, folder / "table.json");
  const auto read = read_latency_table(folder / "table.json", source.groups, {first});
  EXPECT_EQ(read.source, table.source);
  EXPECT_EQ(read.seconds, table.seconds);
  EXPECT_THROW(read_latency_table(folder / "table.json", source.groups, {first, second}), std::runtime_error);
  EXPECT_THROW(read_latency_table(folder / "missing.json", source.groups, {first}), std::runtime_error);
}

}  // namespace
}  // namespace inn
