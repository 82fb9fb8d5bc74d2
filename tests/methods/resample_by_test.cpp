// Every method by its name, budgets and comparisons, on a network that trains in a second.

#include "inn/methods/resample_by.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "inn/cost/cost.h"
#include "inn/methods/comparison.h"
#include "inn/methods/convert_on.h"
#include "inn/methods/model_budget.h"
#include "inn/train/evaluate.h"
#include "network_builder.h"
#include "train/small_task.h"

namespace inn {
namespace {

using testing::HasSubstr;

constexpr int64_t kConvWidth = 6;

AnyModel trained() {
  NetworkModule module(small_network());
  train(*module, stripes(96, 1), kNormalization, quick(2));
  Network network = module->network().clone();
  network.set_training(false);
  return open_model(std::move(network));
}

at::Tensor images() { return normalize(stripes(20, 9).inputs, kNormalization); }

int64_t width_of(const Network& network, const std::string& tensor) {
  return network.state[network.find_state(tensor)].tensor.size(0);
}

const at::Tensor& state_of(const Network& network, const std::string& name) {
  return network.state[network.find_state(name)].tensor;
}

class EveryMethod : public testing::TestWithParam<std::string> {};

TEST_P(EveryMethod, GivesHalfTheChannelsAndLeavesTheModelAsItWas) {
  const auto data = stripes(64, 2);
  const CalibrationData calibration{data, kNormalization};
  // The loss of a sample needs gradients; the network of one convolution with a batch norm serves all methods.
  const AnyModel model = trained();
  const at::Tensor before = model.present().forward(images());
  MethodOptions how{.method = GetParam(), .seed = 3};
  const Resampled made = resample_by(model, {.widths = {{"conv", kConvWidth / 2}}}, how, calibration);
  EXPECT_EQ(width_of(made.network, "conv.weight"), kConvWidth / 2);
  EXPECT_EQ(width_of(made.network, "norm.running_mean"), kConvWidth / 2);
  EXPECT_EQ(made.chosen.widths.size(), 1U);
  EXPECT_TRUE(made.network.forward(images()).isfinite().all().item<bool>());
  EXPECT_TRUE(model.present().forward(images()).equal(before));
}

TEST_P(EveryMethod, OnBatchesEqualsThatOnADataSet) {
  const auto data = stripes(64, 2);
  const CalibrationData set{data, kNormalization};
  const AnyModel model = trained();
  MethodOptions how{.method = GetParam(), .seed = 3};
  const PruneOptions widths{.widths = {{"conv", kConvWidth / 2}}};
  const Calibration batches = calibration_of(set, model.present(), Measured::squared_gradients);
  // Batches of one sample: sums over samples are the same, batch norm's variance within batches is not.
  const auto from_set = resample_by(model, widths, how, set);
  const auto from_batches = resample_by(model, widths, how, batches);
  EXPECT_LT((state_of(from_set.network, "conv.weight") - state_of(from_batches.network, "conv.weight"))
                .abs()
                .max()
                .item<double>(),
            1e-4);
}

TEST(ResampleBy, KeepsTheChannelsOfTheCallersImportance) {
  const AnyModel model = trained();
  const Importance last{.name = "last", .scores = [](const ScoredGroup& group) {
                          return std::vector<at::Tensor>{at::arange(group.group().width, at::kDouble)};
                        }};
  const auto made =
      resample_by(model, {.widths = {{"conv", 2}}}, {.importance = last}, std::optional<CalibrationData>());
  EXPECT_TRUE(state_of(made.network, "conv.weight")
                  .equal(state_of(model.present(), "conv.weight").slice(0, kConvWidth - 2)));
}

TEST_P(EveryMethod, GivesTheSourceAtItsOwnWidths) {
  const auto data = stripes(64, 2);
  const AnyModel model = trained();
  const at::Tensor before = model.present().forward(images());
  // Without data batch norm keeps its statistics; methods that measure get data and refit nothing.
  const bool measures = GetParam() == "quadrature" ||
                        (is_importance(GetParam()) && find_importance(GetParam()).needs != Measured::nothing);
  if (measures) GTEST_SKIP() << "batch norm is recalibrated on the data that the method measures";
  const Resampled made =
      resample_by(model, {.widths = {{"conv", kConvWidth}}}, {.method = GetParam()}, std::nullopt);
  EXPECT_TRUE(at::allclose(made.network.forward(images()), before, 1e-4, 1e-5));
}

std::string test_name(const testing::TestParamInfo<std::string>& info) { return info.param; }
/// All but rotation, which is for streams without batch norm: see below.
std::vector<std::string> methods_of_convolutions() {
  auto methods = resampling_methods();
  std::erase(methods, "rotation");
  return methods;
}
INSTANTIATE_TEST_SUITE_P(Methods, EveryMethod, testing::ValuesIn(methods_of_convolutions()), test_name);

/// embedding → RMS norm → linear → silu → linear, added to the embedding, → RMS norm → tied linear.
Network small_decoder() {
  constexpr int64_t kWords = 9, kChannels = 6;
  test::NetworkBuilder b(5);
  const auto table = b.parameter("embed.weight", {kWords, kChannels});
  const auto tokens = b.input("tokens", at::arange(8).view({2, 4}));
  const auto stream = b.call("aten::embedding", "", {table, tokens});
  const auto norm = [&](const std::string& name, ValueRef x) {
    return b.call("aten::rms_norm", "", {x, {kChannels}, b.parameter(name, {kChannels}), 1e-9});
  };
  auto x =
      b.call("aten::linear", "", {norm("norm1.weight", stream), b.parameter("up.weight", {12, kChannels})});
  x = b.call("aten::linear", "",
             {b.call("aten::silu", "", {x}), b.parameter("down.weight", {kChannels, 12})});
  x = b.call("aten::add", "Tensor", {stream, x});
  return b.finish(b.call("aten::linear", "", {norm("norm2.weight", x), table}));
}

TEST(Methods, RotationCutsAStreamKeepsItWholeAndRefusesOtherGroups) {
  const AnyModel model = open_model(small_decoder());
  const auto tokens = at::arange(24).view({6, 4}) % 9;
  const Calibration data{.batch = [&](int64_t index) -> std::optional<CalibrationBatch> {
    return index == 0 ? std::optional(CalibrationBatch{{tokens}}) : std::nullopt;
  }};
  const at::Tensor before = model.present().forward(tokens);
  const Resampled whole = resample_by(model, {.widths = {{"embed:1", 6}}}, {.method = "rotation"}, data);
  EXPECT_TRUE(at::allclose(whole.network.forward(tokens), before, 1e-6, 1e-6));
  const Resampled cut = resample_by(model, {.widths = {{"embed:1", 4}}}, {.method = "rotation"}, data);
  EXPECT_EQ(state_of(cut.network, "embed.weight").size(1), 4);
  EXPECT_EQ(cut.groups.at(0).criterion, "principal axes");
  EXPECT_THAT(cut.chosen.notes, testing::Contains(HasSubstr("no longer tied")));
  EXPECT_TRUE(model.present().forward(tokens).equal(before));
  const auto refused = message_of([&] {
    resample_by(trained(), {.widths = {{"conv", 3}}}, {.method = "rotation"},
                CalibrationData{stripes(64, 2), kNormalization});
  });
  EXPECT_THAT(refused, HasSubstr("Group 'conv': cannot be rotated: aten::batch_norm (norm)"));
}

TEST(Methods, WithoutDataNameWhatIsMissing) {
  const AnyModel model = trained();
  EXPECT_THAT(message_of([&] { resample_by(model, {.keep = 0.5}, {.method = "quadrature"}, std::nullopt); }),
              HasSubstr("calibration data"));
  EXPECT_THAT(message_of([&] { resample_by(model, {.keep = 0.5}, {.method = "quadratur"}, std::nullopt); }),
              HasSubstr("quadrature"));
  EXPECT_THAT(message_of([&] { convert_on(model.plain.network, {.order = "nodes"}, std::nullopt); }),
              HasSubstr("calibration data"));
}

TEST(ModelWidths, ByNameOverrideFractionsAndRefusePinnedGroups) {
  const AnyModel model = trained();
  const auto chosen = chosen_widths(model, model.plain, {.keep = 0.5, .widths = {{"conv", 5}}});
  std::map<std::string, int64_t> by_name;
  for (const auto& [id, width] : chosen.widths) by_name[model.plain.groups.groups[id].name] = width;
  EXPECT_EQ(by_name, (std::map<std::string, int64_t>{{"conv", 5}, {"mix", 4}}));
  for (const auto& group : model.plain.groups.groups) {
    if (!group.pinned) continue;
    EXPECT_THAT(message_of([&] {
                  chosen_widths(model, model.plain, {.widths = {{group.name, 1}}});
                }),
                HasSubstr(group.name));
  }
  AnyModel integral;
  integral.integral = convert(model.plain.network, {.groups = {"mix"}});
  EXPECT_THAT(message_of([&] {
                chosen_widths(integral, integral.source(), {.widths = {{"conv", 3}}});
              }),
              HasSubstr("not continuous"));
}

TEST(ModelBudget, IsMetAndKeepsWidthsThatAreGivenByName) {
  const AnyModel model = trained();
  const auto data = stripes(64, 2);
  const CalibrationData calibration{data, kNormalization};
  const double source = static_cast<double>(cost_of(model.plain.network).macs);
  const PruneOptions asked{.widths = {{"mix", 7}}};
  const auto curves = model_error_curves(model, asked, calibration);
  EXPECT_EQ(curves.size(), 1U);
  const auto found =
      within_budget(model, Budget::parse("macs=0.6"), asked, curves, calibration, {.rechecks = 0});
  EXPECT_EQ(found.widths.at("mix"), 7);
  const auto made = resample_by(model, found, {.method = "l1"}, std::nullopt);
  EXPECT_LE(static_cast<double>(cost_of(made.network).macs), 0.6 * source);
  EXPECT_THAT(message_of([&] {
                model_error_curves(model, {.widths = {{"mix", 7}, {"conv", 5}}}, calibration);
              }),
              HasSubstr("no group can be resized"));
}

TEST(Comparison, MeasuresTheSourceAsEvaluateDoesAndSaysWhyANetworkIsMissing) {
  const AnyModel model = trained();
  const auto data = stripes(64, 2), evaluated = stripes(48, 4);
  const Comparison found =
      compare(model, {.methods = {"l1", "fold"}, .keep = {0.5, 4}, .samples = {32}, .chosen = false},
              {data, evaluated, kNormalization, c10::kCPU});
  const auto expected = evaluate(model.plain.network, evaluated, kNormalization);
  EXPECT_EQ(found.source.hits, expected.correct);
  EXPECT_EQ(found.source.count, expected.count);
  ASSERT_EQ(found.variants.size(), 4U);  // each method with and without refits
  for (const auto& line : found.variants) {
    ASSERT_EQ(line.networks.size(), 2U);
    EXPECT_EQ(line.networks[0].failure, "") << label_of(line.variant);
    EXPECT_LT(line.networks[0].macs, found.source_macs);
    EXPECT_EQ(line.networks[0].quality.count, 48);
    // Neither method can give more channels than there are.
    EXPECT_NE(line.networks[1].failure, "") << label_of(line.variant);
  }
}

}  // namespace
}  // namespace inn
