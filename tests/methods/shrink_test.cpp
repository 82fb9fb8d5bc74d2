// Networks made smaller within budgets and times; distillation; samples held out.

#include "inn/methods/shrink.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inn/calibration/hold_out.h"
#include "inn/cost/cost.h"
#include "inn/methods/distillation_data.h"
#include "inn/train/agreement.h"
#include "inn/train/evaluate.h"
#include "train/small_task.h"

namespace inn {
namespace {

using testing::HasSubstr;

AnyModel trained_model() {
  NetworkModule module(small_network());
  train(*module, stripes(96, 1), kNormalization, quick(4));
  Network network = module->network().clone();
  network.set_training(false);
  return open_model(std::move(network));
}

/// Batches of one number per sample, so that samples can be recognized.
Calibration numbered(const std::vector<int64_t>& sizes) {
  return {.batch = [=](int64_t index) -> std::optional<CalibrationBatch> {
    if (index >= static_cast<int64_t>(sizes.size())) return std::nullopt;
    int64_t first = 0;
    for (int64_t b = 0; b < index; ++b) first += sizes[static_cast<size_t>(b)];
    const at::Tensor numbers = at::arange(first, first + sizes[static_cast<size_t>(index)]);
    return CalibrationBatch{{numbers.to(at::kFloat).unsqueeze(1), at::ones({7})}, numbers};
  }};
}

std::vector<int64_t> samples_in(const Calibration& data) {
  std::vector<int64_t> samples;
  int64_t index = 0;
  for (auto batch = data.batch(0); batch; batch = data.batch(++index)) {
    const at::Tensor numbers = batch->inputs[0].toTensor().flatten();
    EXPECT_TRUE(numbers.to(at::kLong).equal(batch->labels));
    for (int64_t k = 0; k < numbers.numel(); ++k) samples.push_back(numbers[k].item<int64_t>());
  }
  return samples;
}

TEST(HoldOut, TakesEveryFifthSampleWhateverTheBatches) {
  for (const auto& sizes : {std::vector<int64_t>{12}, {5, 5, 2}, {1, 1, 1, 9}, {3, 4, 5}}) {
    const auto [rest, held_out] = hold_out(numbered(sizes));
    EXPECT_EQ(samples_in(held_out), (std::vector<int64_t>{4, 9}));
    EXPECT_EQ(samples_in(rest), (std::vector<int64_t>{0, 1, 2, 3, 5, 6, 7, 8, 10, 11}));
  }
  EXPECT_EQ(samples_in(hold_out(numbered({1, 1})).held_out), std::vector<int64_t>{1});
  EXPECT_THROW(hold_out(numbered({1})), std::invalid_argument);
  const auto data = stripes(12, 3);
  const auto [rest, held_out] = hold_out(data);
  EXPECT_TRUE(held_out.labels.equal(data.labels.index_select(0, at::tensor({4, 9}))));
  EXPECT_EQ(rest.size(), 10);
}

class Distillation : public testing::Test {
 protected:
  void SetUp() override {
    const auto source = model.source();
    const auto id = source.groups.find("mix");
    maps.emplace(id, first_channels(source.groups.groups[id].width, 3));
    small = resample(source, maps);
    small.set_training(false);
  }

  double error(const Network& network, const Dataset& images) const {
    return agreement(network, model.source().network, images, kNormalization).error;
  }

  AnyModel model = trained_model();
  std::map<GroupId, GroupMaps> maps;
  Network small;
  Dataset data = stripes(120, 2), others = stripes(60, 7);
};

TEST_F(Distillation, LowersTheErrorOfOutputsOnOtherSamples) {
  Network taught = small.clone();
  const auto found =
      distill(taught, model.source(), maps, distillation_data({data, kNormalization}, model.source().network),
              {.seconds = 4});
  EXPECT_LT(found.gain, 0.9);
  EXPECT_GT(found.steps, 10);
  EXPECT_LT(error(taught, others), 0.9 * error(small, others));
  // The network that it was made from keeps its weights.
  EXPECT_TRUE(small.state[0].tensor.equal(resample(model.source(), maps).state[0].tensor));
}

TEST_F(Distillation, ThatHelpsNothingLeavesTheWeights) {
  Network taught = small.clone();
  const auto found =
      distill(taught, model.source(), maps, distillation_data({data, kNormalization}, model.source().network),
              {.seconds = 0.3, .learning_rates = {1e6}});
  EXPECT_EQ(found.gain, 1);
  for (size_t s = 0; s < small.state.size(); ++s)
    EXPECT_TRUE(taught.state[s].tensor.equal(small.state[s].tensor)) << small.state[s].name;
}

TEST_F(Distillation, StopsWhenItIsTold) {
  Network taught = small.clone();
  int64_t asked = 0;
  const auto found =
      distill(taught, model.source(), maps, distillation_data({data, kNormalization}, model.source().network),
              {.seconds = 100, .stop = [&] { return ++asked > 3; }});
  EXPECT_LT(found.seconds, 60);
  EXPECT_LT(found.steps, 10);
  EXPECT_THROW(distill(taught, model.source(), maps,
                       distillation_data({data, kNormalization}, model.source().network), {.seconds = 0}),
               std::invalid_argument);
}

class Shrinking : public testing::Test {
 protected:
  Shrunk shrunk(const std::string& budget, ShrinkOptions options = {}) const {
    options.budget = Budget::parse(budget);
    const CalibrationData calibration{data, kNormalization}, labelled{evaluated, kNormalization};
    return shrink(model, shrink_samples(model, calibration, &labelled), options);
  }

  AnyModel model = trained_model();
  Dataset data = stripes(120, 2), evaluated = stripes(60, 9);
};

TEST_F(Shrinking, KeepsTheBudgetAndSaysWhatItIsWorth) {
  const auto made = shrunk("macs=0.5", {.seconds = 8});
  EXPECT_LE(made.after.macs, 0.5 * made.before.macs);
  EXPECT_EQ(made.after.macs, static_cast<double>(cost_of(made.network).macs));
  EXPECT_EQ(made.after.parameters, static_cast<double>(cost_of(made.network).parameters));
  const auto expected = evaluate(made.network, evaluated, kNormalization);
  EXPECT_EQ(made.after.accuracy->rate, expected.accuracy);
  EXPECT_EQ(made.after.accuracy->count, 60);
  EXPECT_EQ(made.before.accuracy->rate, evaluate(model.source().network, evaluated, kNormalization).accuracy);
  EXPECT_EQ(made.after.agreement->count, 24);
  EXPECT_LE(made.seconds, 60);
  // Folded: nothing is left of the batch norm.
  for (const auto& entry : made.network.state) EXPECT_THAT(entry.name, testing::Not(HasSubstr("running")));
  for (const auto& [name, widths] : made.widths) EXPECT_LE(widths.second, widths.first) << name;
}

TEST_F(Shrinking, OfParametersAndMemory) {
  EXPECT_LE(shrunk("params=0.4", {.seconds = 3, .distill = false}).after.parameters,
            0.4 * cost_of(model.source().network).parameters);
  const auto made = shrunk("memory=0.7", {.seconds = 3, .distill = false});
  EXPECT_LE(static_cast<double>(made.after.memory), 0.7 * static_cast<double>(made.before.memory));
}

TEST_F(Shrinking, LooksForTheLeastNetworkThatAgrees) {
  const auto loose = shrunk("agreement=0.7", {.seconds = 20, .distill = false}),
             strict = shrunk("agreement=1", {.seconds = 20, .distill = false});
  EXPECT_GE(loose.after.agreement->rate, 0.7);
  EXPECT_LE(loose.after.macs, strict.after.macs);
  EXPECT_LT(loose.after.macs, loose.before.macs);
  EXPECT_EQ(strict.after.agreement->rate, 1);
}

TEST_F(Shrinking, LooksForTheLeastNetworkOfAnAccuracy) {
  const auto rate = [](const Network& network, const Dataset& images) {
    return evaluate(network, images, kNormalization).accuracy;
  };
  const double before = rate(model.source().network, evaluated);
  const auto loose = shrunk("accuracy=-20", {.seconds = 20, .distill = false}),
             strict = shrunk("accuracy=-0", {.seconds = 20, .distill = false});
  EXPECT_GE(rate(loose.network, evaluated), before - 0.2);
  EXPECT_GE(rate(strict.network, evaluated), before);
  EXPECT_LT(loose.after.macs, loose.before.macs);
  EXPECT_LE(loose.after.macs, strict.after.macs);
  EXPECT_THAT(loose.notes, testing::Contains(HasSubstr("on others it is a little lower")));
  const auto few =
      shrunk("accuracy=-20", {.smallest = Budget::Of::parameters, .seconds = 20, .distill = false});
  EXPECT_LE(few.after.parameters, loose.after.parameters);
  EXPECT_GE(rate(few.network, evaluated), before - 0.2);
  // The accuracy itself; one that no smaller network has leaves the source.
  EXPECT_GE(rate(shrunk("accuracy=0.6", {.seconds = 20, .distill = false}).network, evaluated), 0.6);
}

TEST_F(Shrinking, AnAccuracyNeedsLabels) {
  ShrinkOptions options{.budget = Budget::parse("accuracy=-1")};
  const auto samples = shrink_samples(model, CalibrationData{data, kNormalization});
  EXPECT_THAT([&] { shrink(model, samples, options); },
              testing::ThrowsMessage<std::invalid_argument>(HasSubstr("labelled samples")));
  options = {.budget = Budget::parse("agreement=0.9"), .smallest = Budget::Of::accuracy};
  EXPECT_THAT([&] { shrink(model, samples, options); },
              testing::ThrowsMessage<std::invalid_argument>(HasSubstr("must be a cost")));
}

TEST_F(Shrinking, EndsWithTheBestSoFarWhenItIsStopped) {
  bool stop = false;
  ShrinkOptions options{.seconds = 100, .stop = [&] { return stop; }};
  options.progress = [&](const std::string& stage, int64_t, int64_t, const std::string&) {
    stop = stop || stage == "refit";
  };
  const auto made = shrunk("macs=0.5", options);
  EXPECT_LE(made.after.macs, 0.5 * made.before.macs);
  EXPECT_LT(made.seconds, 90);
  EXPECT_THAT(made.notes, testing::Contains(HasSubstr("Interrupted")));
}

TEST_F(Shrinking, OnBatchesKeepsTheBudgetToo) {
  const CalibrationData set{data, kNormalization};
  const auto batches = calibration_of(set, model.source().network, Measured::activations);
  const auto made =
      shrink(model, shrink_samples(batches),
             {.budget = Budget::parse("macs=0.6"), .seconds = 3, .distill = false, .fold_batch_norm = false});
  EXPECT_LE(made.after.macs, 0.6 * made.before.macs);
  EXPECT_FALSE(made.after.accuracy.has_value());
  EXPECT_TRUE(std::any_of(made.network.state.begin(), made.network.state.end(),
                          [](const auto& entry) { return entry.name == "norm.running_mean"; }));
}

TEST_F(Shrinking, RefusesWhatItCannotReach) {
  EXPECT_THAT(message_of([&] { shrunk("macs=0.0001"); }), HasSubstr("not reachable"));
  EXPECT_THAT(message_of([&] { shrunk("macs=0.5", {.seconds = 0}); }), HasSubstr("positive"));
  EXPECT_THAT(message_of([&] { shrunk("macs=0.5", {.widths = {.keep = 0.5}}); }), HasSubstr("fractions"));
}

TEST(SampleWarnings, NameTheLayerThatIsShortest) {
  const LayerFit good{
      .layer = "good", .samples = 64, .rows = 900, .features = 9, .error_after = 0.1, .held_out_after = 0.11},
      bad{.layer = "bad",
          .samples = 64,
          .rows = 900,
          .features = 9,
          .error_after = 0.1,
          .held_out_after = 0.3},
      tiny{.layer = "tiny",
           .samples = 64,
           .rows = 900,
           .features = 9,
           .error_after = 1e-5,
           .held_out_after = 1};
  EXPECT_TRUE(sample_warnings({good, tiny}, 64).empty());
  const auto warnings = sample_warnings({good, bad, tiny}, 64);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], HasSubstr("'bad'"));
  EXPECT_THAT(sample_warnings({good, {.layer = "short", .samples = 64, .rows = 8, .features = 9}}, 64),
              testing::SizeIs(1));
  EXPECT_TRUE(sample_warnings({{.layer = "tried", .samples = 32, .rows = 8, .features = 9}}, 64).empty());
  // (3 − 1)/(3 + 1) = 0.5 to (1.2 − 1)/(1.2 + 1) = 1/11: 5.5 times as many.
  EXPECT_THAT(warnings[0], HasSubstr("400"));
}

}  // namespace
}  // namespace inn
