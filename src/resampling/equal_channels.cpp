#include "inn/resampling/equal_channels.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/function_schema.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "inn/core/error.h"
#include "inn/dimension/channel_places.h"
#include "inn/dimension/quadrature_buffers.h"
#include "inn/grid/grid.h"
#include "inn/resampling/maps.h"
#include "suffix_runs.h"

namespace inn {
namespace {

/// A weight that is misplaced shows in the first digits. Rounding does up to here: a layer norm over channels
/// that are equal divides it by √ε, and the next one does again.
constexpr double kLeastTolerance = 1e-6;

/// The axes of the call's first tensor over which it takes an average or a softmax.
std::vector<size_t> averaged_axes(const Call& call, size_t rank) {
  static const std::set<std::string> averages{"aten::mean",     "aten::var",         "aten::std",
                                              "aten::var_mean", "aten::std_mean",    "aten::softmax",
                                              "aten::_softmax", "aten::log_softmax", "aten::_log_softmax"};
  if (call.op == "aten::group_norm") return {1};
  const auto& schema = find_schema(call.op, call.overload);
  std::vector<int64_t> given;
  const auto place = schema.argumentIndexWithName(averages.contains(call.op) ? "dim" : "normalized_shape");
  if (!place) return {};
  const Argument& argument = call.arguments.at(static_cast<size_t>(*place));
  if (!averages.contains(call.op)) {
    const size_t count =
        argument.is_list() ? argument.list().size() : argument.constant().toIntVector().size();
    for (size_t k = 0; k < count; ++k) given.push_back(static_cast<int64_t>(rank - 1 - k));
  } else if (argument.is_constant() && argument.constant().isInt()) {
    given.push_back(argument.constant().toInt());
  } else if (argument.is_constant() && argument.constant().isIntList()) {
    given = argument.constant().toIntVector();
  }
  std::vector<size_t> axes;
  for (const auto axis : given)
    axes.push_back(static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis));
  return axes;
}

bool has(const AxisStructure& axis, GroupId group) { return !places_of(axis, group).empty(); }

/// Says which call takes an average over the group and other channels side by side; "" where none does.
std::string average_beside_others(const AnalysedNetwork& source, GroupId group) {
  for (const auto& call : source.network.calls) {
    if (call.arguments.empty() || !call.arguments[0].is_value()) continue;
    const auto& axes = source.groups.value_axes[call.arguments[0].value()];
    for (const auto d : averaged_axes(call, axes.size())) {
      if (d >= axes.size() || !axes[d].is_sum() || !has(axes[d], group)) continue;
      const auto& terms = axes[d].parts;
      if (!std::all_of(terms.begin(), terms.end(),
                       [&](const AxisStructure& term) { return has(term, group); }))
        return fmt::format("{} averages over it and other concatenated channels", call.qualified_name());
    }
  }
  return "";
}

class EqualChannels {
 public:
  EqualChannels(const AnalysedNetwork& source, const VerifyOptions& options)
      : source_(add_quadrature_buffers(source, [](const UnweightedSum&) { return true; })),
        options_(options) {
    source_.network = source_.network.clone();
    source_.network.to(at::kDouble);
    source_.network.set_training(false);
    if (options.redraw) redraw();
    runs_.emplace(source_, random_inputs(source_.network, options.seed),
                  [this](size_t s) { return source_.network.state[s].tensor; });
  }

  size_t first_call(GroupId id) const { return runs_->first_call(id); }

  /// Verifies groups in the order of their first calls: earlier calls are not run again.
  EqualChannelsVerification verify(GroupId id) {
    runs_->advance(first_call(id));
    const auto& group = source_.groups.groups[id];
    EqualChannelsVerification found{.group = id, .name = group.name, .width = group.width};
    try {
      // A weight that is missing shows at any width; the trapezoid's are no longer equal ones.
      const int64_t n = group.width, odd = (n * 3 / 4) | 1;
      compare(id, find_quadrature("rectangle"), {std::max<int64_t>(1, n / 2), odd, 2 * n}, found);
      compare(id, find_quadrature("trapezoid"), {odd}, found);
    } catch (const std::exception& error) {
      found.failure = error.what();
      return found;
    }
    if (found.failure.empty()) return found;
    found.exception = average_beside_others(source_, id);
    if (!found.exception.empty()) found.failure.clear();
    return found;
  }

 private:
  /// Weights are drawn so that signals keep their size, gains and variances around 1, and so that no branch
  /// is dead.
  void redraw() {
    auto generator = at::detail::createCPUGenerator(options_.seed);
    for (size_t s = 0; s < source_.network.state.size(); ++s) {
      auto& entry = source_.network.state[s];
      if (!entry.tensor.is_floating_point() || entry.kind == StateEntry::Kind::constant || weighs(s))
        continue;
      const auto sizes = entry.tensor.sizes().vec();
      const auto inputs = sizes.size() > 1 ? entry.tensor.numel() / std::max<int64_t>(1, sizes[0]) : 1;
      at::Tensor drawn = at::randn(sizes, generator, at::TensorOptions(at::kDouble));
      if (source_.groups.bounded[s])
        drawn = at::rand(sizes, generator, at::TensorOptions(at::kDouble)) + 0.5;
      else if (sizes.size() > 1)
        drawn = drawn / std::sqrt(static_cast<double>(std::max<int64_t>(1, inputs)));
      else
        drawn = 1 + 0.3 * drawn;
      entry.tensor = drawn;
    }
  }

  /// The weights of sums are ones, and stay it.
  bool weighs(size_t state) const {
    const auto& entry = source_.network.state[state];
    return entry.kind == StateEntry::Kind::buffer && entry.tensor.eq(1).all().item<bool>();
  }

  /// The maps that make all channels those of channel 0: functions that are constant. A consumer holds the
  /// function times the weights of the source's points.
  static GroupMaps equal_maps(int64_t width, const Quadrature& rule) {
    const AxisMap first = AxisMap::select(std::vector<int64_t>(static_cast<size_t>(width), 0), width);
    const auto weights = quadrature_weights(rule, uniform_points(width)) * static_cast<double>(width);
    return {first, first.scale_rows(weights)};
  }

  at::Tensor run(GroupId id, const GroupMaps& maps) const {
    std::vector<at::Tensor> parts;
    for (const auto& output : runs_->run({{id, maps}}))
      if (output.is_floating_point() || output.is_complex())
        parts.push_back(at::view_as_real(output.to(at::kComplexDouble)).flatten());
    require(!parts.empty(), "resampling", "The network must return a floating-point tensor to compare.");
    return at::cat(parts);
  }

  void compare(GroupId id, const Quadrature& rule, const std::vector<int64_t>& widths,
               EqualChannelsVerification& found) const {
    const int64_t n = found.width;
    const GroupMaps equal = equal_maps(n, rule);
    const at::Tensor expected = run(id, equal);
    const double scale = std::max(expected.abs().max().item<double>(), 1e-300);
    for (const int64_t width : widths) {
      const auto other = interpolation_maps(n, uniform_points(width), find_kernel("linear"), rule);
      const auto outputs = run(id, compose_maps(other, equal));
      if (outputs.sizes() != expected.sizes()) {
        found.failure = fmt::format("at width {} the sizes of the outputs change", width);
        return;
      }
      const double error = (outputs - expected).abs().max().item<double>() / scale;
      if (error > found.error || std::isnan(error)) {
        found.error = error;
        found.worst_width = width;
      }
      if (!(error <= std::max(options_.tolerance, kLeastTolerance)) && found.failure.empty())
        found.failure = fmt::format("with equal channels, width {} ({} rule) changes the outputs by {:.2g}",
                                    width, rule.name, error);
    }
  }

  AnalysedNetwork source_;
  const VerifyOptions& options_;
  std::optional<SuffixRuns> runs_;
};

}  // namespace

std::vector<EqualChannelsVerification> verify_equal_channels(const AnalysedNetwork& source,
                                                             const VerifyOptions& options) {
  const at::NoGradGuard no_grad;
  EqualChannels law(source, options);
  return verify_in_order_of_calls(law, source, options);
}

}  // namespace inn
