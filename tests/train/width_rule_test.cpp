#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "inn/model/integral_model.h"
#include "inn/train/evaluate.h"
#include "inn/train/recipe.h"
#include "inn/train/train.h"
#include "train/small_task.h"

namespace inn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Gradients in float32 of some 1, added up in another order.
constexpr double kGradientTolerance = 2e-6;

/// Plain descent, so that a step shows the gradient: (before − after)/rate.
TrainOptions one_step() {
  auto options = quick(1);
  options.momentum = 0;
  options.schedule = "constant";
  options.learning_rate = 1;
  options.recalibration_batches = 0;
  return options;
}

const Uniform kLaw{0.4, 1};

IntegralModel fresh_model() { return convert(without_dropout(small_network()), {.order = "none"}); }

std::map<std::string, at::Tensor> step_of(const TrainOptions& options, const Dataset& data) {
  auto model = fresh_model();
  model->set_distribution(kLaw);
  std::map<std::string, at::Tensor> steps;
  for (const auto& item : model->named_parameters()) steps.emplace(item.key(), item.value().detach().clone());
  train(*model, data, kNormalization, options);
  for (const auto& item : model->named_parameters()) steps.at(item.key()).sub_(item.value().detach());
  return steps;
}

/// The outputs in training mode at one fraction of all widths.
at::Tensor outputs_at(IntegralModelImpl& model, double fraction, const Dataset& data) {
  model.resize(fraction);
  model.train();
  return model.forward(normalize(data.inputs, kNormalization));
}

void expect_steps(const std::map<std::string, at::Tensor>& steps, IntegralModelImpl& model) {
  for (const auto& item : model.named_parameters())
    EXPECT_LE((steps.at(item.key()) - item.value().grad()).abs().max().item<double>(), kGradientTolerance)
        << item.key();
}

TEST(WidthRule, NamesThePassesOfAStep) {
  using Passes = std::vector<PassWidth>;
  constexpr auto widest = WidthDraw::widest, narrowest = WidthDraw::narrowest, drawn = WidthDraw::random;
  EXPECT_EQ(parse_width_rule("random"), Passes({drawn}));
  EXPECT_EQ(parse_width_rule("random:2"), Passes({drawn, drawn}));
  EXPECT_EQ(parse_width_rule("sandwich"), Passes({widest, narrowest, drawn, drawn}));
  EXPECT_EQ(parse_width_rule("sandwich:0"), Passes({widest, narrowest}));
  EXPECT_EQ(parse_width_rule("sandwich,1"), Passes({widest, narrowest, drawn, drawn, 1.0}));
  EXPECT_EQ(parse_width_rule("random:0,0.75,.5"), Passes({0.75, 0.5}));
  EXPECT_THAT(message_of([] { parse_width_rule("sandwhich"); }), HasSubstr("Did you mean 'sandwich'"));
  for (const std::string text : {"sandwich:", "sandwich:two", "sandwich:-1", "sandwich:1000"})
    EXPECT_THAT(message_of([&] { parse_width_rule(text); }), HasSubstr("'" + text + "': must be NAME"));
  EXPECT_THAT(message_of([] { parse_width_rule("random:0"); }), HasSubstr("must have at least one pass"));
}

TEST(WidthRule, ASandwichStepFollowsTheMeanOfItsPassesGradients) {
  const auto data = stripes(16, 1);
  auto options = one_step();
  options.width_rule = "sandwich:1";
  const auto steps = step_of(options, data);

  auto model = fresh_model();
  std::mt19937_64 random(options.seed);
  for (const double fraction : {1.0, 0.4, FractionDistribution(kLaw).sample(random)})
    (at::cross_entropy_loss(outputs_at(*model, fraction, data), data.labels) / 3).backward();
  expect_steps(steps, *model);
}

TEST(WidthRule, FractionsAddAPassEach) {
  const auto data = stripes(16, 1);
  auto options = one_step();
  options.width_rule = "sandwich:0,0.75,0.5";
  const auto steps = step_of(options, data);

  auto model = fresh_model();
  for (const double fraction : {1.0, 0.4, 0.75, 0.5})
    (at::cross_entropy_loss(outputs_at(*model, fraction, data), data.labels) / 4).backward();
  expect_steps(steps, *model);
}

TEST(WidthRule, AFractionIsForTheGroupsThatHaveADistribution) {
  auto model = fresh_model();
  model->groups()[1].set_distribution(SizeDistribution::parse("uniform:4,8"));
  model->train();
  model->set_pass_width(0.5);
  model->forward(at::zeros({2, 1, 8, 8}));
  EXPECT_EQ(model->groups()[0].width(), 6);
  EXPECT_EQ(model->groups()[1].width(), 4);
}

TEST(WidthRule, InPlaceDistillationTeachesTheOtherPassesTheSoftmaxOfTheWidest) {
  const auto data = stripes(16, 1);
  auto options = one_step();
  options.width_rule = "sandwich:0";
  options.distillation = {.in_place = true, .weight = 0.25, .temperature = 2};
  const auto steps = step_of(options, data);

  auto model = fresh_model();
  const auto widest = outputs_at(*model, 1, data);
  const auto taught = (widest.detach() / 2).softmax(1);
  const auto narrow = outputs_at(*model, 0.4, data);
  const auto divergence =
      4 * (taught * (taught.log() - (narrow / 2).log_softmax(1))).sum() / static_cast<double>(data.size());
  const auto loss = at::cross_entropy_loss(widest, data.labels) +
                    0.75 * at::cross_entropy_loss(narrow, data.labels) + 0.25 * divergence;
  (loss / 2).backward();
  expect_steps(steps, *model);
}

TEST(WidthRule, EachGroupMayDrawItsOwnWidth) {
  auto model = fresh_model();
  model->set_distribution(Choice{{0.5, 1}}, FractionSharing::own);
  model->train();
  std::set<std::pair<int64_t, int64_t>> seen;
  for (int draw = 0; draw < 40; ++draw) {
    model->forward(at::zeros({2, 1, 8, 8}));
    seen.emplace(model->groups()[0].width(), model->groups()[1].width());
  }
  EXPECT_THAT(seen, ElementsAre(std::pair{3, 4}, std::pair{3, 8}, std::pair{6, 4}, std::pair{6, 8}));
}

TEST(WidthRule, RefusesANumberThatIsNone) {
  for (const auto* text :
       {"random:", "random:x", "random:-1", "sandwich:65", "sandwich:99999999999999999999"})
    EXPECT_THAT(message_of([&] { parse_width_rule(text); }), HasSubstr("must be NAME or NAME:N")) << text;
  for (const auto* text :
       {"sandwich,", "sandwich:1,half", "sandwich,0.5,0", "sandwich,1.5", "sandwich,0.5,nan"})
    EXPECT_THAT(message_of([&] { parse_width_rule(text); }), HasSubstr("must be a fraction of all widths"))
        << text;
}

TEST(WidthRule, IsRefusedWhereNoWidthsAreDrawnAndWhereTheWidestDoesNotComeFirst) {
  const auto data = stripes(16, 1);
  auto options = one_step();
  options.width_rule = "sandwich";
  NetworkModule plain(small_network());
  EXPECT_THAT(message_of([&] { train(*plain, data, kNormalization, options); }),
              HasSubstr("'sandwich': requires an integral model"));
  options.width_rule = "random:2";
  options.distillation.in_place = true;
  EXPECT_THAT(message_of([&] { step_of(options, data); }), HasSubstr("start with the widest"));
  options.width_rule = "sandwich";
  options.distillation.weight = 1.5;
  EXPECT_THAT(message_of([&] { step_of(options, data); }), HasSubstr("must be in [0, 1] but got 1.5"));
  options.distillation = {.in_place = true, .temperature = 0};
  EXPECT_THAT(message_of([&] { step_of(options, data); }), HasSubstr("temperature"));
}

TEST(Distillation, TeachesTheOutputsOfASourceNetwork) {
  const auto data = stripes(16, 1);
  auto options = one_step();
  const Network source = without_dropout(small_network(7));
  options.distillation = {.source = source, .weight = 1, .temperature = 3};
  Network network = without_dropout(small_network());
  NetworkModule model(network.clone()), stepped(network.clone());
  train(*stepped, data, kNormalization, options);

  const auto images = normalize(data.inputs, kNormalization);
  Network teacher = source;
  teacher.set_training(false);
  const auto taught = (teacher.forward(images).detach() / 3).softmax(1);
  model->train();
  (9 * (taught * (taught.log() - (model->forward(images) / 3).log_softmax(1))).sum() / 16).backward();
  for (const auto& item : model->named_parameters()) {
    const auto expected = item.value() - item.value().grad();
    EXPECT_LE((stepped->named_parameters()[item.key()] - expected).abs().max().item<double>(),
              kGradientTolerance)
        << item.key();
  }
}

TEST(Distillation, MakesANetworkAgreeWithItsSourceOnUnlabelledTruth) {
  auto options = quick(6);
  NetworkModule source(small_network(7)), model(small_network());
  train(*source, stripes(300, 1), kNormalization, options);
  auto data = stripes(300, 3);
  data.labels = data.labels.flip(0);  // the labels say nothing
  options.distillation = {.source = source->network(), .weight = 1};
  train(*model, data, kNormalization, options);
  EXPECT_GT(evaluate(*model, stripes(300, 2), kNormalization).accuracy, 0.9);
}

TEST(Distillation, IsRefusedForASourceOfOtherOutputsAndALossWithoutADistance) {
  const auto data = stripes(16, 1);
  auto options = one_step();
  Network other = without_dropout(small_network());
  other.state[other.find_state("fc.weight")].tensor = at::zeros({5, 72});
  other.state[other.find_state("fc.bias")].tensor = at::zeros({5});
  options.distillation.source = other;
  NetworkModule model(small_network());
  EXPECT_THAT(message_of([&] { train(*model, data, kNormalization, options); }),
              HasSubstr("the teacher returns [16, 5] but the network returns [16, 3]"));
  register_loss({.name = "test-no-distance", .doc = "", .mean = find_loss("cross_entropy").mean});
  options.loss = "test-no-distance";
  EXPECT_THAT(message_of([&] { train(*model, data, kNormalization, options); }),
              HasSubstr("'test-no-distance': cannot be used for distillation"));
}

}  // namespace
}  // namespace inn
