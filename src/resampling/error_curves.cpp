#include "inn/resampling/error_curves.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "inn/core/error.h"

namespace inn {
namespace {

constexpr double kLeastError = 1e-12;  // whose logarithm is taken

/// The batches that hold the first `samples` samples.
Calibration first_batches(const Calibration& calibration, int64_t samples) {
  require(calibration.batch != nullptr, "resampling", "Calibration: batches are needed but not given.");
  int64_t count = 0, seen = 0;
  for (auto batch = calibration.batch(0); batch && seen < samples; batch = calibration.batch(count)) {
    seen += batch->inputs.at(0).toTensor().size(0);
    ++count;
  }
  Calibration result = calibration;
  result.batch = [of = calibration.batch, count](int64_t index) -> std::optional<CalibrationBatch> {
    return index < count ? of(index) : std::nullopt;
  };
  return result;
}

/// The floating-point outputs of every batch.
std::vector<std::vector<at::Tensor>> outputs_of(const Network& network, const Calibration& calibration) {
  const at::NoGradGuard no_grad;
  std::vector<std::vector<at::Tensor>> outputs;
  int64_t index = 0;
  for (auto batch = calibration.batch(0); batch; batch = calibration.batch(++index)) {
    outputs.emplace_back();
    for (const auto& value : network.forward(batch->inputs))
      if (value.isTensor() && value.toTensor().is_floating_point())
        outputs.back().push_back(value.toTensor().to(at::kDouble));
  }
  require(!outputs.empty() && !outputs[0].empty(), "resampling",
          "Error curves: the network gives no floating-point tensor to compare.");
  return outputs;
}

/// Σ over outputs of Σ (a − b)²/Σ (b − b̄)².
double relative_error(const std::vector<std::vector<at::Tensor>>& a,
                      const std::vector<std::vector<at::Tensor>>& b) {
  double result = 0;
  for (size_t k = 0; k < b[0].size(); ++k) {
    double difference = 0, square = 0, sum = 0, count = 0;
    for (size_t i = 0; i < b.size(); ++i) {
      difference += (a[i][k] - b[i][k]).square().sum().item<double>();
      square += b[i][k].square().sum().item<double>();
      sum += b[i][k].sum().item<double>();
      count += static_cast<double>(b[i][k].numel());
    }
    result += difference / std::max(square - sum * sum / count, kLeastError);
  }
  return result;
}

/// The measured points, and all widths between and below them.
ErrorCurve filled(const ErrorCurve& measured, int64_t source_width) {
  ErrorCurve curve{{source_width, 0}};
  const auto log_at = [](double error) { return std::log(std::max(error, kLeastError)); };
  for (int64_t width = 1; width < source_width; ++width) {
    auto above = measured.lower_bound(width);
    if (above == measured.end()) above = std::prev(measured.end());
    if (above == measured.begin() && measured.size() > 1) ++above;
    const auto below = above == measured.begin() ? above : std::prev(above);
    const double slope = above == below ? 0
                                        : (log_at(above->second) - log_at(below->second)) /
                                              static_cast<double>(above->first - below->first);
    curve[width] = std::exp(log_at(below->second) + slope * static_cast<double>(width - below->first));
  }
  return curve;
}

}  // namespace

std::map<GroupId, ErrorCurve> error_curves(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                                           const Calibration& calibration, const CurveOptions& options) {
  const Calibration data = first_batches(calibration, options.samples);
  AnalysedNetwork plain = source;
  plain.network.set_training(false);
  const auto wanted = outputs_of(plain.network, data);
  const KernelOptions measuring{.positions = options.positions, .seed = options.seed};
  const auto kernels = measure_kernels(plain, groups, data, measuring);
  const RefitOptions refitting{
      .positions = options.positions, .seed = options.seed, .gauss_newton_steps = 0, .only_readers = true};
  std::map<GroupId, ErrorCurve> curves;
  int64_t done = 0;
  for (const auto id : groups) {
    const auto& group = source.groups.groups.at(id);
    ErrorCurve measured;
    for (const double fraction : options.fractions) {
      const int64_t width =
          std::clamp<int64_t>(std::llround(fraction * static_cast<double>(group.width)), 1, group.width);
      if (width == group.width || measured.contains(width)) continue;
      const auto found = nodes_of(plain, id, width, kernels, options.nodes);
      const std::map<GroupId, GroupMaps> maps{{id, found.maps}};
      Network cut = resample(plain, maps);
      cut.set_training(false);
      refit(cut, plain, maps, data, refitting);
      measured[width] = relative_error(outputs_of(cut, data), wanted);
    }
    curves[id] = filled(measured, group.width);
    if (options.progress) options.progress(++done, static_cast<int64_t>(groups.size()), group.name);
  }
  return curves;
}

}  // namespace inn
