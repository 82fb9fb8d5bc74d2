#include "inn/methods/comparison.h"

#include <chrono>
#include <functional>
#include <utility>

#include "inn/budget/width_cost.h"
#include "inn/core/error.h"
#include "inn/core/interrupt.h"
#include "inn/methods/model_budget.h"
#include "inn/train/agreement.h"
#include "inn/train/evaluate.h"

namespace inn {
namespace {

constexpr const char* kChosenMethod = "quadrature";

void stop_if_interrupted() { require<std::runtime_error>(!interrupted(), "methods", "Interrupted."); }

double time_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class Comparer {
 public:
  Comparer(const AnyModel& model, const ComparisonOptions& options, const ComparisonData& data,
           const StepCallback& progress)
      : model_(model),
        options_(options),
        data_(data),
        progress_(progress),
        source_(model.source()),
        reference_(source_.network),
        macs_(multiply_add_cost(source_)),
        parameters_(parameter_cost(source_)) {
    reference_.to(data.device);
  }

  Comparison run() {
    const auto widths = source_widths(source_.groups);
    Comparison result{.labelled = data_.evaluated.has_classes(),
                      .source = quality(reference_),
                      .source_macs = macs_(widths),
                      .source_parameters = parameters_(widths),
                      .keep = options_.keep,
                      .uniform_macs = {},
                      .variants = {}};
    for (const double keep : options_.keep) result.uniform_macs.push_back(uniform_macs(keep));
    const auto variants = all_variants();
    all_ = static_cast<int64_t>(variants.size() * options_.keep.size());
    for (const auto& variant : variants) result.variants.push_back(compared(variant));
    if (progress_) progress_(all_, all_, "");
    return result;
  }

 private:
  std::vector<Variant> all_variants() const {
    std::vector<Variant> variants;
    const auto add = [&](const std::string& method, bool refit, bool chosen) {
      for (const auto samples : options_.samples) variants.push_back({method, refit, chosen, samples});
    };
    if (options_.chosen) add(kChosenMethod, true, true);
    for (const auto& method : options_.methods) {
      add(method, true, false);
      add(method, false, false);
    }
    return variants;
  }

  PruneOptions uniform(double keep) const {
    PruneOptions widths = options_.widths;
    widths.keep = keep;
    return widths;
  }

  std::vector<int64_t> all_widths(const std::map<GroupId, int64_t>& changed) const {
    auto widths = source_widths(source_.groups);
    for (const auto& [id, width] : changed) widths[static_cast<size_t>(id)] = width;
    return widths;
  }

  double uniform_macs(double keep) const {
    return macs_(all_widths(chosen_widths(model_, source_, uniform(keep)).widths));
  }

  Quality quality(Network network) const {
    const EvalOptions eval{.batch_size = options_.batch_size};
    network.to(data_.device);
    if (!data_.evaluated.has_classes()) {
      const auto found = agreement(network, reference_, data_.evaluated, data_.normalization, eval);
      return {found.agreement, found.agreeing, found.count, found.error};
    }
    const auto found = evaluate(network, data_.evaluated, data_.normalization, eval);
    return {found.accuracy, found.correct, found.count, found.loss};
  }

  /// Says what is being done, and stops here after Ctrl-C.
  StepCallback step(const std::string& label) const {
    return [this, label](int64_t, int64_t, const std::string& what) {
      stop_if_interrupted();
      if (progress_) progress_(done_, all_, label + ": " + what);
    };
  }

  ComparedVariant compared(const Variant& variant) {
    const Dataset images = variant.samples == 0
                               ? data_.calibration
                               : data_.calibration.first(std::min(variant.samples, data_.calibration.size()));
    const CalibrationData measured{images, data_.normalization, data_.device};
    ComparedVariant result{.variant = variant, .networks = {}};
    std::map<GroupId, ErrorCurve> curves;
    std::string failure;
    if (variant.chosen)
      result.curve_seconds = time_of([&] {
        failure = failure_of([&] {
          curves = model_error_curves(model_, options_.widths, measured,
                                      {.seed = options_.how.seed, .progress = step("error curves")});
        });
      });
    for (size_t k = 0; k < options_.keep.size(); ++k) {
      Compared network =
          failure.empty() ? network_of(variant, options_.keep[k], measured, curves) : Compared{failure};
      network.interrupted = !network.failure.empty() && interrupted();
      result.networks.push_back(std::move(network));
      ++done_;
    }
    return result;
  }

  Compared network_of(const Variant& variant, double keep, const CalibrationData& images,
                      const std::map<GroupId, ErrorCurve>& curves) const {
    Compared result;
    result.failure = failure_of([&] {
      const auto now = step(fmt::format("{}, keep {:g}", label_of(variant), keep));
      now(0, 0, "channels");
      MethodOptions how = options_.how;
      how.method = variant.method;
      how.refit = variant.refit;
      how.progress = how.together_progress = now;
      if (!variant.refit) how.together = 0;
      std::optional<Resampled> made;
      result.seconds = time_of([&] {
        const PruneOptions widths =
            variant.chosen
                ? within_budget(
                      model_, {Budget::Of::macs, uniform_macs(keep), false}, options_.widths, curves, images,
                      {.rechecks = options_.rechecks, .curves = {.seed = how.seed}, .recheck_progress = now})
                : uniform(keep);
        made = resample_by(model_, widths, how, images);
      });
      now(0, 0, "evaluation");
      const auto widths = all_widths(made->chosen.widths);
      result.macs = macs_(widths);
      result.parameters = parameters_(widths);
      for (const auto& [id, width] : made->chosen.widths)
        result.widths[source_.groups.groups[id].name] = width;
      result.quality = quality(std::move(made->network));
    });
    return result;
  }

  /// Returns why the work failed, in one line; nothing where it did not.
  static std::string failure_of(const std::function<void()>& work) {
    try {
      work();
      return "";
    } catch (const std::exception& error) {
      const std::string text = error.what();
      return text.substr(0, text.find('\n'));
    }
  }

  const AnyModel& model_;
  const ComparisonOptions& options_;
  const ComparisonData& data_;
  const StepCallback& progress_;
  AnalysedNetwork source_;
  Network reference_;  // the source's network, on the device
  WidthCost macs_, parameters_;
  int64_t done_ = 0, all_ = 0;
};

}  // namespace

std::string label_of(const Variant& variant) {
  if (variant.chosen) return variant.method + ", widths chosen";
  return variant.refit ? variant.method + ", refit" : variant.method;
}

const std::vector<std::string>& compared_methods() {
  static const std::vector<std::string> methods{"quadrature", "interpolate", "fold", "l1"};
  return methods;
}

int64_t Comparison::interrupted() const {
  int64_t count = 0;
  for (const auto& line : variants)
    for (const auto& network : line.networks) count += network.interrupted ? 1 : 0;
  return count;
}

Comparison compare(const AnyModel& model, const ComparisonOptions& options, const ComparisonData& data,
                   const StepCallback& progress) {
  for (const auto& method : options.methods) check_method(method);
  require(!options.keep.empty() && !options.samples.empty(), "methods",
          "Comparison: at least one width and one number of samples are required.");
  return Comparer(model, options, data, progress).run();
}

}  // namespace inn
