#include "options/held_out.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>

#include "inn/core/error.h"
#include "inn/core/random.h"
#include "inn/train/evaluate.h"
#include "options/limits.h"
#include "options/usage_error.h"
#include "options/width_choice.h"

namespace inn::cli {
namespace {

constexpr int64_t kCalibrationSamples = 1024;

}  // namespace

void add_held_out_options(CLI::App& app, HeldOutOptions& options, TrainOptions& train) {
  const std::string group = "Validation";
  app.add_option("--validation", options.data,
                 "Validation data (its test split): evaluate after every epoch and keep the best weights")
      ->type_name("DATA")
      ->group(group);
  app.add_option("--hold-out", options.share, "Fraction of the training data used for validation instead")
      ->check(CLI::Range(0.0, 0.9))
      ->type_name("F")
      ->group(group);
  app.add_option("--eval-widths", options.widths,
                 "Widths evaluated for validation, the worst of which counts; default: the ends of --widths")
      ->delimiter(',')
      ->type_name("F,F,…")
      ->group(group);
  app.add_option("--patience", train.patience,
                 "Stop after N epochs without improvement of the validation metric; 0: never")
      ->check(at_least(0))
      ->capture_default_str()
      ->group(group);
}

void check(const HeldOutOptions& options, const TrainOptions& train) {
  const bool given = !options.data.empty() || options.share > 0;
  require<UsageError>(options.data.empty() || options.share == 0, "cli",
                      "--validation and --hold-out are mutually exclusive.");
  require<UsageError>(given || train.patience == 0, "cli", "--patience requires --validation or --hold-out.");
  require<UsageError>(given || options.widths.empty(), "cli",
                      "--eval-widths requires --validation or --hold-out.");
  for (const double width : options.widths) check_fraction("--eval-widths", width);
}

void hold_out(const HeldOutOptions& options, const ImageOptions& images, const Normalization& normalization,
              const AnyModel& model, Dataset& data, TrainOptions& train) {
  if (options.data.empty() && options.share == 0) return;
  Dataset held_out;
  const auto order = at::tensor(shuffled(data.size(), Random(train.seed)), at::kLong);
  int64_t taken = 0;
  if (options.data.empty()) {
    taken = std::max<int64_t>(1, std::llround(options.share * static_cast<double>(data.size())));
    require<UsageError>(taken < data.size(), "cli",
                        "--hold-out {}: leaves no training or no validation samples of {}.", options.share,
                        data.size());
    held_out = data.select(order.narrow(0, 0, taken));
  } else {
    held_out = open_data(options.data, Split::test, images);
    held_out.frame = data.frame;
  }
  const auto rest = order.narrow(0, taken, data.size() - taken);
  WidthOptions measured{.eval = {.batch_size = train.batch_size}, .augmentation = train.augmentation};
  std::vector<double> fractions = options.widths;
  // Fails before the first epoch if the metric cannot be computed on these data.
  evaluate(model.present(), held_out.first(std::min(train.batch_size, held_out.size())), normalization,
           {.batch_size = train.batch_size});
  const auto* integral = model.is_integral() ? model.integral.get() : nullptr;
  if (integral != nullptr && integral->draws_widths()) {
    measured.calibration = data.select(rest.narrow(0, 0, std::min(kCalibrationSamples, rest.size(0))));
    if (fractions.empty())
      fractions = {integral->distribution()->maximum(), integral->distribution()->minimum()};
  }
  if (fractions.empty()) fractions = {1};
  if (taken > 0) data = data.select(rest);
  train.metric_name = fmt::format("{} at widths {}",
                                  taken > 0 ? fmt::format("a fraction of {}", options.share) : options.data,
                                  fmt::join(fractions, ","));
  train.metric = worst_width(std::move(held_out), normalization, std::move(fractions), std::move(measured));
  train.keep_best = true;
}

}  // namespace inn::cli
