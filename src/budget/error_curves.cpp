#include "inn/budget/error_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "inn/data_quadrature/kernels.h"
#include "output_errors.h"

namespace inn {
namespace {

constexpr double kLeastError = 1e-12;  // whose logarithm is taken
/// A curve is corrected by at most this factor in a round, and its inverse.
constexpr double kMostCorrection = 8;

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

std::vector<GroupId> ids_of(const std::map<GroupId, ErrorCurve>& curves) {
  std::vector<GroupId> ids;
  for (const auto& [id, curve] : curves) ids.push_back(id);
  return ids;
}

/// Multiplies each curve by what its group's cut costs among the cuts of the others, over what the curve
/// says: found by giving the group back half of what it lost, or by taking a quarter of it where it lost
/// nothing.
void correct(std::map<GroupId, ErrorCurve>& curves, const std::map<GroupId, int64_t>& widths, double error,
             const AnalysedNetwork& source,
             const std::function<double(const std::map<GroupId, int64_t>&)>& measure) {
  for (auto& [id, curve] : curves) {
    const int64_t now = widths.at(id), n = source.groups.groups.at(id).width;
    const int64_t other = now < n ? now + (n - now + 1) / 2 : n - n / 4;
    auto tried = widths;
    tried[id] = other;
    const double said = read_linearly(curve, now) - read_linearly(curve, other);
    if (said == 0) continue;
    const double factor = (error - measure(tried)) / said;
    for (auto& [width, value] : curve) value *= std::clamp(factor, 1 / kMostCorrection, kMostCorrection);
  }
}

/// Of a group whose consumers are not seen: the errors of networks in which only that group is cut.
ErrorCurve measured_curve(OutputErrors& errors, GroupId id, int64_t source_width,
                          const CurveOptions& options) {
  ErrorCurve measured;
  for (const double fraction : options.fractions) {
    const int64_t width =
        std::clamp<int64_t>(std::llround(fraction * static_cast<double>(source_width)), 1, source_width);
    if (width == source_width || measured.contains(width)) continue;
    measured[width] = errors.at({{id, width}}, /*only_readers=*/true);
  }
  return filled(measured, source_width);
}

}  // namespace

std::map<GroupId, ErrorCurve> error_curves(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                                           const Calibration& calibration, const CurveOptions& options) {
  const auto kernels = measure_output_kernels(source, groups, first_samples(calibration, options.samples),
                                              {.positions = options.positions, .seed = options.seed});
  std::map<GroupId, ErrorCurve> curves;
  std::optional<OutputErrors> measured;
  int64_t done = 0;
  for (const auto id : groups) {
    const auto& group = source.groups.groups.at(id);
    if (const auto found = kernels.find(id); found != kernels.end()) {
      const auto errors = rank_nodes(found->second, options.nodes).errors;
      for (int64_t width = 1; width <= group.width; ++width)
        curves[id][width] = errors[static_cast<size_t>(width - 1)];
    } else {
      if (!measured) measured.emplace(source, groups, calibration, options);
      curves[id] = measured_curve(*measured, id, group.width, options);
    }
    if (options.progress) options.progress(++done, static_cast<int64_t>(groups.size()), group.name);
  }
  return curves;
}

JointWidths choose_jointly(const AnalysedNetwork& source, std::map<GroupId, ErrorCurve> curves,
                           const ChooseWidths& choose, const Calibration& calibration, int64_t rounds,
                           const CurveOptions& options) {
  OutputErrors errors(source, ids_of(curves), calibration, options);
  const auto all = 1 + rounds * (1 + static_cast<int64_t>(curves.size()));
  int64_t done = 0;
  const auto measure = [&](const std::map<GroupId, int64_t>& widths) {
    const double error = errors.at(widths, /*only_readers=*/false);
    if (options.progress) options.progress(std::min(++done, all), all, fmt::format("error {:.4g}", error));
    return error;
  };
  JointWidths best{choose(curves), 0, 0};
  best.error = best.first_error = measure(best.widths);
  for (int64_t round = 0; round < rounds; ++round) {
    correct(curves, best.widths, best.error, source, measure);
    const auto widths = choose(curves);
    const double error = widths == best.widths ? best.error : measure(widths);
    if (widths == best.widths) continue;  // curves that were far off need more than one correction
    if (!(error < best.error)) break;
    best.widths = widths;
    best.error = error;
  }
  if (options.progress && done < all) options.progress(all, all, fmt::format("error {:.4g}", best.error));
  return best;
}

}  // namespace inn
