#include "demo/demo.h"

#include <fmt/format.h>

#include <string_view>

#include "inn/core/error.h"
#include "inn/core/interrupt.h"
#include "inn/cost/cost.h"
#include "inn/data/normalization_record.h"
#include "inn/methods/resample_by.h"
#include "inn/network/dynamic_batch.h"
#include "inn/train/evaluate.h"
#include "inn/train/train.h"
#include "inn/zoo/trained.h"
#include "inn/zoo/zoo.h"
#include "options/image_source.h"
#include "options/model_source.h"

namespace inn::cli {
namespace {

constexpr const char *kNetwork = "small_cnn", *kTrained = "small_cnn@fashion-mnist";
constexpr int64_t kBatch = 128, kCalibrationBatch = 256;
constexpr int64_t kCalibrationImages = 8192;
/// For least squares, which cost more for an image than batch norm's statistics and need fewer.
constexpr int64_t kRefitImages = 1024;
constexpr int64_t kQuickImages = 1280, kQuickCalibrationImages = 256;
constexpr double kLearningRate = 0.004;
/// Of the integral model, with distillation in place: what does best at both ends of its widths, and costs
/// three passes a step.
constexpr const char* kWidths = "uniform:0.25,1";
constexpr const char* kWidthRule = "sandwich:1";
constexpr const char* kRefit = "interpolate-refit";

/// Mean and standard deviation of all pixels of Fashion-MNIST's training images.
const Normalization& pixels() {
  static const Normalization normalization{{0.2860}, {0.3530}};
  return normalization;
}

class Demo {
 public:
  Demo(const DemoImages& images, const DemoOptions& options) : images_(images), options_(options) {}

  DemoOutcome run() {
    if (options_.fast) return from_zoo();
    begin(fmt::format("training the ordinary network, {} epochs", options_.epochs));
    const Network ordinary = train_plain(1);
    AnyModel trained = open_model(ordinary);
    begin(fmt::format("training the integral model at random widths, {} epochs more",
                      options_.integral_epochs));
    outcome_.integral = train_integral(ordinary);
    for (const double width : demo_widths()) {
      add_integral(width);
      for (const char* method : {"quadrature", "l1", "interpolate"})
        add("ordinary", method, width, width == 1 ? ordinary : at_width(trained, method, width));
      if (width < 1)
        begin(fmt::format("training a separate network at width {:g}, {} epochs", width, options_.epochs));
      add("separate", "none", width, width == 1 ? ordinary : train_plain(width));
    }
    return std::move(outcome_);
  }

 private:
  DemoOutcome from_zoo() {
    begin(fmt::format("reading zoo:{}", kTrained));
    outcome_.integral = load_integral(read_trained(kTrained));
    const Network all = outcome_.integral->discretize();
    const AnyModel full = open_model(all);
    for (const double width : demo_widths()) {
      add_integral(width);
      for (const char* method : {"quadrature", "l1"})
        add("full", method, width, width == 1 ? all : at_width(full, method, width));
    }
    return std::move(outcome_);
  }

  void add_integral(double width) {
    AnyModel integral;
    integral.integral = outcome_.integral;
    begin(fmt::format("resampling and measuring at width {:g}", width));
    for (const char* method : {"interpolate", kRefit})
      add("integral", method, width, at_width(integral, method, width));
  }

  void begin(const std::string& stage) const {
    if (options_.stage) options_.stage(stage);
  }

  TrainOptions recipe(int64_t epochs) const {
    return {.epochs = epochs,
            .batch_size = kBatch,
            .optimizer = "adamw",
            .learning_rate = kLearningRate,
            .weight_decay = 0.01,
            .warmup_epochs = 0.1 * static_cast<double>(epochs),
            .seed = options_.seed};
  }

  void train_module(NetworkModuleImpl& module, const TrainOptions& recipe) const {
    module.to_channels_last();  // the memory format in which a CPU trains convolutions fastest
    const auto result = train(module, images_.train, pixels(), recipe);
    require<std::runtime_error>(!result.interrupted, "cli", "The demo was interrupted.");
  }

  Network train_plain(double width) const {
    Network network = with_dynamic_batch(make_zoo_network(kNetwork, {.width = width, .seed = options_.seed}));
    record_normalization(network, pixels());
    NetworkModule module(std::move(network));
    train_module(*module, recipe(options_.epochs));
    Network trained = module->network().clone();
    trained.set_training(false);
    return trained;
  }

  IntegralModel train_integral(const Network& ordinary) const {
    IntegralModel model = convert(ordinary, {.seed = options_.seed});
    model->set_distribution(FractionDistribution::parse(kWidths));
    auto elastic = recipe(options_.integral_epochs);
    elastic.width_rule = kWidthRule;
    elastic.distillation.in_place = true;
    train_module(*model, elastic);
    model->clear_distributions();
    return model;
  }

  Network at_width(const AnyModel& model, const std::string& method, double width) const {
    MethodOptions how{.method = method == kRefit ? "interpolate" : method,
                      .refit = method == kRefit || method == "quadrature",
                      .conversion = {.seed = options_.seed},
                      .seed = options_.seed};
    const Dataset calibration =
        *how.refit ? images_.calibration.first(std::min(kRefitImages, images_.calibration.size()))
                   : images_.calibration;
    const CalibrationData images{calibration, pixels(), c10::Device(c10::kCPU)};
    return resample_by(model, PruneOptions{.keep = width}, how, images).network;
  }

  void add(const char* network, const char* method, double width, Network made) {
    const CostReport cost = cost_of(made);
    const EvalResult result = evaluate(made, images_.test, pixels());
    const int64_t further = std::string_view(network) == "integral" ? options_.integral_epochs : 0;
    const int64_t epochs = options_.fast ? 0 : options_.epochs + further;
    outcome_.networks.push_back(
        {network, method, width, epochs, result.accuracy, cost.parameters, cost.macs, std::move(made)});
  }

  const DemoImages& images_;
  const DemoOptions& options_;
  DemoOutcome outcome_;
};

}  // namespace

const std::vector<double>& demo_widths() {
  static const std::vector<double> widths{1, 0.75, 0.5, 0.25};
  return widths;
}

std::string demo_label(const std::string& network, const std::string& method) {
  if (network == "integral")
    return method == kRefit ? "integral model, resampled and refit" : "integral model, resampled";
  if (network == "full")
    return method == "l1" ? "its full network, pruned by L1" : "its full network, data-aware quadrature";
  if (network == "separate") return "trained separately";
  if (method == "quadrature") return "ordinary, data-aware quadrature";
  return method == "l1" ? "ordinary, pruned by L1" : "ordinary, converted and resampled";
}

DemoImages read_demo_images(const DemoOptions& options) {
  DemoImages images{.train = open_dataset(options.data, Split::train),
                    .test = open_dataset(options.data, Split::test)};
  const Network network = make_zoo_network(kNetwork, {});
  fit_images(images.train, network);
  fit_images(images.test, network);
  if (options.quick) {
    images.train = images.train.first(std::min(kQuickImages, images.train.size()));
    images.test = images.test.first(std::min(kQuickImages, images.test.size()));
  }
  const int64_t calibrating = options.quick ? kQuickCalibrationImages : kCalibrationImages;
  images.calibration = images.train.first(std::min(calibrating, images.train.size()));
  return images;
}

DemoOutcome run_demo(const DemoImages& images, const DemoOptions& options) {
  const InterruptGuard interrupts;
  return Demo(images, options).run();
}

}  // namespace inn::cli
