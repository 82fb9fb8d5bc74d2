#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "inn/model/integral_model.h"
#include "inn/train/recipe.h"
#include "inn/train/train.h"
#include "train/small_task.h"

namespace inn {
namespace {

using testing::HasSubstr;

enum class Kind { plain, integral };

/// A module whose widths, where it is an integral model, are drawn anew in every step.
std::shared_ptr<NetworkModuleImpl> make_model(Kind kind) {
  if (kind == Kind::plain) return std::make_shared<NetworkModuleImpl>(small_network());
  auto model = convert(small_network(), {.order = "none"});
  model->set_distribution(Uniform{0.4, 1});
  return model.ptr();
}

TrainOptions options_of(const std::string& optimizer, const TemporaryFolder& folder) {
  return {.epochs = 3,
          .batch_size = 16,
          .optimizer = optimizer,
          .learning_rate = optimizer == "sgd" ? 0.05 : 0.005,
          .weight_decay = 0.01,
          .warmup_epochs = 0.5,
          .label_smoothing = 0.1,
          .augmentation = {.crop_padding = 1, .flip = true},
          .seed = 5,
          .checkpoint = folder / (optimizer + ".ckpt"),
          .log = folder / (optimizer + ".jsonl"),
          .progress = false};
}

void expect_same_bits(const torch::nn::Module& a, const torch::nn::Module& b) {
  const auto first = a.named_parameters(), second = b.named_parameters();
  ASSERT_EQ(first.size(), second.size());
  for (const auto& item : first) EXPECT_TRUE(at::equal(item.value(), second[item.key()])) << item.key();
  const auto buffers = a.named_buffers(), others = b.named_buffers();
  for (const auto& item : buffers) EXPECT_TRUE(at::equal(item.value(), others[item.key()])) << item.key();
}

size_t count_lines(const std::filesystem::path& path) {
  std::ifstream file(path);
  size_t count = 0;
  for (std::string line; std::getline(file, line);) ++count;
  return count;
}

/// The averages, the best weights and a stopped run go on as they stood.
TEST(Checkpoint, KeepsTheAveragesTheBestWeightsAndThePatience) {
  const TemporaryFolder unbroken_folder, broken_folder;
  const auto data = stripes(70, 1);
  const auto configured = [&](const TemporaryFolder& folder) {
    auto options = options_of("sgd", folder);
    options.epochs = 6;
    options.ema = 0.9;
    options.keep_best = true;
    options.patience = 2;
    options.width_rule = "sandwich:1";
    options.distillation.in_place = true;
    // The second epoch is the best, so the fourth is the last.
    options.metric = [count = 0](NetworkModuleImpl&) mutable {
      return std::vector{1., 3., 2., 3.}.at(count++);
    };
    return options;
  };
  const auto unbroken = make_model(Kind::integral);
  const auto whole = train(*unbroken, data, kNormalization, configured(unbroken_folder));
  EXPECT_EQ(whole.epochs.size(), 4U);
  EXPECT_EQ(whole.best_metric, 3.);

  auto options = configured(broken_folder);
  options.on_step = [](const StepRecord& step) {
    if (step.epoch == 2 && step.batch == 1) std::raise(SIGINT);
  };
  EXPECT_TRUE(train(*make_model(Kind::integral), data, kNormalization, options).interrupted);
  options.on_step = nullptr;
  options.resume = true;
  options.metric = [count = 2](NetworkModuleImpl&) mutable {
    return std::vector{1., 3., 2., 3.}.at(count++);
  };
  const auto resumed = make_model(Kind::integral);
  EXPECT_EQ(train(*resumed, data, kNormalization, options).epochs.size(), 4U);
  expect_same_bits(*unbroken, *resumed);

  options.ema = 0.8;
  EXPECT_THAT(message_of([&] { train(*resumed, data, kNormalization, options); }),
              HasSubstr("ema was 0.9 in the run that wrote it but is 0.8 now"));
}

class EveryOptimizer : public testing::TestWithParam<std::tuple<std::string, Kind>> {};

TEST_P(EveryOptimizer, EndsWithTheSameBitsWhenInterruptedAndResumed) {
  const auto& [optimizer, kind] = GetParam();
  const TemporaryFolder unbroken_folder, broken_folder;
  const auto data = stripes(70, 1);
  const auto unbroken = make_model(kind);
  const auto whole = train(*unbroken, data, kNormalization, options_of(optimizer, unbroken_folder));

  auto options = options_of(optimizer, broken_folder);
  // In the middle of the second epoch, and at the last batch of the third.
  for (const auto& [epoch, batch] : {std::pair{1, 2}, std::pair{2, 4}}) {
    options.on_step = [at = std::pair{epoch, batch}](const StepRecord& step) {
      if (step.epoch == at.first && step.batch == at.second) std::raise(SIGINT);
    };
    const auto broken = make_model(kind);
    EXPECT_TRUE(train(*broken, data, kNormalization, options).interrupted);
    options.resume = true;
  }
  options.on_step = nullptr;
  const auto resumed = make_model(kind);
  const auto result = train(*resumed, data, kNormalization, options);
  EXPECT_FALSE(result.interrupted);
  expect_same_bits(*unbroken, *resumed);
  ASSERT_EQ(result.epochs.size(), whole.epochs.size());
  for (size_t e = 0; e < whole.epochs.size(); ++e) {
    EXPECT_EQ(result.epochs[e].loss, whole.epochs[e].loss);
    EXPECT_EQ(result.epochs[e].accuracy, whole.epochs[e].accuracy);
  }
  EXPECT_EQ(count_lines(options.log), whole.epochs.size());
}

TEST_P(EveryOptimizer, EndsWithTheSameBitsWhenKilledBetweenCheckpoints) {
  const auto& [optimizer, kind] = GetParam();
  const TemporaryFolder folder;
  const auto data = stripes(70, 1);
  auto options = options_of(optimizer, folder);
  options.checkpoint_interval = 2;
  const auto unbroken = make_model(kind);
  train(*unbroken, data, kNormalization, options);
  options.checkpoint = folder / "killed.ckpt";
  struct Killed {};
  options.on_step = [](const StepRecord& step) {
    if (step.epoch == 1 && step.batch == 2) throw Killed{};
  };
  EXPECT_THROW(train(*make_model(kind), data, kNormalization, options), Killed);
  options.on_step = nullptr;
  options.resume = true;
  const auto resumed = make_model(kind);
  train(*resumed, data, kNormalization, options);
  expect_same_bits(*unbroken, *resumed);
}

std::vector<std::string> optimizer_names() {
  std::vector<std::string> names;
  for (const auto& entry : optimizers()) names.push_back(entry.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Checkpoint, EveryOptimizer,
                         testing::Combine(testing::ValuesIn(optimizer_names()),
                                          testing::Values(Kind::plain, Kind::integral)),
                         [](const auto& info) {
                           return std::get<0>(info.param) +
                                  (std::get<1>(info.param) == Kind::plain ? "Plain" : "Integral");
                         });

TEST(Checkpoint, IsRefusedByAnotherRunByAnotherModelAndWhenDamaged) {
  const TemporaryFolder folder;
  const auto data = stripes(40, 1);
  auto options = options_of("adam", folder);
  options.epochs = 1;
  train(*make_model(Kind::plain), data, kNormalization, options);
  options.resume = true;
  const auto message = [&](const TrainOptions& changed, Kind kind = Kind::plain) {
    const auto model = make_model(kind), untouched = make_model(kind);
    const auto text = message_of([&] { train(*model, data, kNormalization, changed); });
    expect_same_bits(*model, *untouched);
    return text;
  };
  auto changed = options;
  changed.batch_size = 8;
  EXPECT_THAT(message(changed), HasSubstr("batch_size was 16 in the run that wrote it but is 8 now"));
  EXPECT_THAT(message(options, Kind::integral), HasSubstr("grid was not set in the run that wrote it"));

  auto other = small_network();
  other.state[other.find_state("norm.bias")].tensor = at::zeros({5}).requires_grad_();
  EXPECT_THAT(
      message_of([&] { train(*std::make_shared<NetworkModuleImpl>(other), data, kNormalization, options); }),
      HasSubstr("tensor 'norm.bias' must be Float [5] but is Float [6]"));

  std::ifstream file(options.checkpoint, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  for (const std::string& content :
       {bytes.substr(0, bytes.size() / 2), std::string("not a checkpoint"), std::string()}) {
    std::ofstream(options.checkpoint, std::ios::binary) << content;
    EXPECT_THAT(message(options), HasSubstr("the file is corrupt or not a checkpoint"));
  }
}

/// Two runs on one checkpoint that differ in one thing, which the refusal must name.
TEST(Checkpoint, IsRefusedWhereTheModelsAxesDiffer) {
  const TemporaryFolder folder;
  const auto data = stripes(40, 1);
  auto options = options_of("sgd", folder);
  options.epochs = 1;
  const auto run = [&](const ConvertOptions& converted, const std::function<void(IntegralModelImpl&)>& set) {
    auto model = convert(small_network(), converted);
    set(*model);
    train(*model, data, kNormalization, options);
  };
  const auto at_half = [](IntegralModelImpl& model) { model.resize(0.5); };
  const auto elastic = [](IntegralModelImpl& model) { model.set_distribution(Uniform{0.4, 1}); };
  const ConvertOptions first{
      .kernel = "linear", .quadrature = "trapezoid", .grid = "nested", .order = "none"};
  for (const auto& set : std::vector<std::function<void(IntegralModelImpl&)>>{at_half, elastic}) {
    options.resume = false;
    run(first, set);
    options.resume = true;
    run(first, set);  // the same run goes on
    const auto refusal = [&](const ConvertOptions& changed) {
      return message_of([&] { run(changed, set); });
    };
    auto changed = first;
    changed.kernel = "cubic";
    EXPECT_THAT(refusal(changed), HasSubstr("kernel was linear in the run that wrote it but is cubic now"));
    changed = first;
    changed.quadrature = "rectangle";
    EXPECT_THAT(refusal(changed), HasSubstr("quadrature was trapezoid in the run that wrote it"));
    changed = first;
    changed.grid = "uniform";
    EXPECT_THAT(refusal(changed), HasSubstr("grid was nested in the run that wrote it but is uniform now"));
    changed = first;
    changed.order = "path";
    EXPECT_THAT(refusal(changed), HasSubstr("order was none in the run that wrote it but is path now"));
    changed = first;
    changed.groups = {"conv"};
    EXPECT_THAT(refusal(changed), HasSubstr("integral groups was 2"));
  }
  options.resume = false;
  run(first, at_half);
  options.resume = true;
  EXPECT_THAT(message_of([&] { run(first, [](IntegralModelImpl& model) { model.resize(0.25); }); }),
              HasSubstr("grid of group 'conv' was nested of 3 points"));
  EXPECT_THAT(message_of([&] {
                run(first, [](IntegralModelImpl& model) {
                  model.resize(0.5);
                  model.groups()[0].set_grid(std::make_shared<FixedGrid>(at::tensor({0., 0.3, 1.})));
                });
              }),
              HasSubstr("but is fixed of 3 points"));
  EXPECT_THAT(message_of([&] {
                run(first, [](IntegralModelImpl& model) {
                  model.groups()[0].set_grid(std::make_shared<RandomGrid>(Uniform{2, 6}, 1));
                });
              }),
              HasSubstr("the grid of group 'conv' is random"));
}

TEST(Checkpoint, IsRefusedWhereTheDataOrTheNetworkDiffers) {
  const TemporaryFolder folder;
  const auto data = stripes(40, 1);
  auto options = options_of("sgd", folder);
  options.epochs = 1;
  train(*make_model(Kind::plain), data, kNormalization, options);
  options.resume = true;
  train(*make_model(Kind::plain), data, kNormalization, options);
  const auto refusal = [&](const Dataset& changed, const Network& network = small_network()) {
    return message_of(
        [&] { train(*std::make_shared<NetworkModuleImpl>(network), changed, kNormalization, options); });
  };
  auto changed = data;
  changed.inputs = data.inputs.clone();
  changed.inputs[17][0][3][3] += 1;
  EXPECT_THAT(refusal(changed), HasSubstr("inputs of the data set was"));
  changed = data;
  changed.labels = data.labels.clone();
  changed.labels[31] = (changed.labels[31] + 1) % kClasses;
  EXPECT_THAT(refusal(changed), HasSubstr("labels of the data set was"));
  changed = data;
  changed.class_names[1] = "another";
  EXPECT_THAT(refusal(changed), HasSubstr("classes of the data set was"));
  EXPECT_THAT(refusal(stripes(41, 1)), HasSubstr("images was 40x1x8x8"));
  EXPECT_THAT(refusal(data, without_dropout(small_network())), HasSubstr("calls of the network was"));
  auto frozen = small_network();
  frozen.state[frozen.find_state("norm.bias")].tensor.requires_grad_(false);
  EXPECT_THAT(refusal(data, frozen), HasSubstr("trained parameters was 8"));
  changed = data;
  changed.source = "the same elsewhere";
  EXPECT_EQ(refusal(changed), "nothing was thrown");
}

}  // namespace
}  // namespace inn
