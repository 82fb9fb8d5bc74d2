#include "inn/budget/error_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "inn/data_quadrature/kernels.h"
#include "output_errors.h"

namespace inn {
namespace {

constexpr double kLeastError = 1e-12;  // whose logarithm is taken
constexpr double kMostTilt = 4;        // beyond which none is tried where the widths stay the same

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

/// Of each group where in the network it is first summed over, from −1 (first) to 1 (last).
std::map<GroupId, double> depths_of(const AnalysedNetwork& source, const std::vector<GroupId>& groups) {
  std::map<size_t, std::vector<GroupId>> by_call;
  for (const auto& [id, consumers] : find_consumers(source, groups))
    by_call[consumers.empty() ? 0 : consumers[0].call].push_back(id);
  std::map<GroupId, double> depths;
  double place = 0;
  for (const auto& [call, ids] : by_call) {
    for (const auto id : ids)
      depths[id] = by_call.size() < 2 ? 0 : 2 * place / static_cast<double>(by_call.size() - 1) - 1;
    ++place;
  }
  return depths;
}

std::map<GroupId, ErrorCurve> tilted(std::map<GroupId, ErrorCurve> curves,
                                     const std::map<GroupId, double>& depths, double tilt) {
  for (auto& [id, curve] : curves)
    for (auto& [width, error] : curve) error *= std::exp(tilt * depths.at(id));
  return curves;
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

JointWidths choose_jointly(const AnalysedNetwork& source, const std::map<GroupId, ErrorCurve>& curves,
                           const ChooseWidths& choose, const Calibration& calibration, int64_t rounds,
                           const CurveOptions& options) {
  OutputErrors errors(source, ids_of(curves), calibration, options);
  const auto depths = depths_of(source, ids_of(curves));
  JointWidths best{choose(curves), 0, 0};
  best.error = best.first_error = errors.at(best.widths, /*only_readers=*/false);
  std::set<std::map<GroupId, int64_t>> seen{best.widths};
  double tilt = 0, step = 1;
  int failures = 0;  // at this step
  for (int64_t round = 0; round < rounds && !(options.stop && options.stop()); ++round) {
    double tried = tilt + step;
    auto widths = choose(tilted(curves, depths, tried));
    while (widths == best.widths && std::abs(tried) < kMostTilt) {
      tried += step;
      widths = choose(tilted(curves, depths, tried));
    }
    const double error = seen.insert(widths).second ? errors.at(widths, /*only_readers=*/false)
                                                    : std::numeric_limits<double>::infinity();
    if (error < best.error) {
      best.widths = widths;
      best.error = error;
      tilt = tried;
      failures = 0;
    } else {
      step = ++failures % 2 == 0 ? step / -2 : -step;
    }
    if (options.progress) options.progress(round + 1, rounds, fmt::format("error {:.4g}", best.error));
  }
  return best;
}

}  // namespace inn
