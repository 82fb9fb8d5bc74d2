// Finds the parameters that scale the slices of a value.

#include <algorithm>

#include "analysis.h"
#include "inn/dimension/rule.h"

namespace inn {
namespace {

using ScaleSource = Analysis::ScaleSource;

/// Sums of many branches would make lists that grow with the network; longer lists are dropped.
constexpr size_t kMostOrigins = 64;

void append(std::vector<ScaleSource>& target, const std::vector<ScaleSource>& added) {
  for (const auto& scale_source : added)
    if (std::find(target.begin(), target.end(), scale_source) == target.end()) target.push_back(scale_source);
  if (target.size() > kMostOrigins) target.clear();
}

std::vector<ScaleSource>& scale_sources_at(Analysis& analysis, ValueId value, int64_t axis) {
  auto& by_axis = analysis.scale_sources[value];
  if (by_axis.size() <= static_cast<size_t>(axis)) by_axis.resize(axis + 1);
  return by_axis[axis];
}

/// The product of sizes[axis + 1…]: the stride of the axis in elements.
int64_t stride_of(const std::vector<int64_t>& sizes, size_t axis) {
  int64_t stride = 1;
  for (size_t d = axis + 1; d < sizes.size(); ++d) stride *= sizes[d];
  return stride;
}

}  // namespace

ValueId RuleContext::tensor(const std::string& name, std::optional<size_t> element) const {
  return element ? argument(name).list().at(*element).value() : argument(name).value();
}

void RuleContext::consume(const std::string& name, int64_t axis, std::optional<size_t> element) {
  contract({{name, axis, element}});
}

void RuleContext::consume_part(const std::string& name, int64_t axis, const AxisStructure& part) {
  sum({{name, axis}}, part, SumKind::sum);
}

void RuleContext::contract(const std::vector<Place>& places) {
  const auto& last = places.back();
  sum(places, analysis_.axes[tensor(last.name, last.element)]->at(last.axis), SumKind::sum);
}

void RuleContext::norm(const std::string& name, int64_t axis, double power) {
  sum({{name, axis}}, axes(name).at(axis), SumKind::norm, power);
}

void RuleContext::log_sum(const std::string& name, int64_t axis) {
  sum({{name, axis}}, axes(name).at(axis), SumKind::logarithm);
}

void RuleContext::softmax(const std::string& name, int64_t axis) {
  const AxisStructure over = axes(name).at(axis);
  sum({{name, axis}}, over, SumKind::softmax);
  const auto index = static_cast<int64_t>(analysis_.softmaxes.size());
  analysis_.softmaxes.push_back(over);
  append(scale_sources_at(analysis_, results_.at(0), axis),
         {{ScaleSource::kSoftmax, index, 0, over.size, 1}});
}

void RuleContext::normalize_over(const std::string& name, int64_t axis) {
  if (of_parameters_) analysis_.mixings.push_back({call_index_, axes(name).at(axis)});
}

void RuleContext::sum(const std::vector<Place>& places, const AxisStructure& over, SumKind kind,
                      double power) {
  if (of_parameters_) analysis_.mixings.push_back({call_index_, over});
  Analysis::Contraction contraction{call_index_, {}, over, kind, power};
  for (const auto& place : places)
    contraction.operands.push_back(
        {{tensor(place.name, place.element), place.axis}, position(place.name).value(), place.element});
  analysis_.contractions.push_back(std::move(contraction));
}

bool RuleContext::is_of_parameters(const std::string& name, std::optional<size_t> element) const {
  return analysis_.of_parameters[tensor(name, element)];
}

bool RuleContext::has_scale_source(const std::string& name, int64_t axis,
                                   std::optional<size_t> element) const {
  return !analysis_.scale_sources_of({tensor(name, element), axis}).empty();
}

bool RuleContext::is_softmax(const std::string& name, int64_t axis) const {
  const auto& sources = analysis_.scale_sources_of({tensor(name, std::nullopt), axis});
  return std::any_of(sources.begin(), sources.end(), [](const auto& source) { return source.is_softmax(); });
}

void RuleContext::propagate_scale(const std::string& name, int64_t from, int64_t to, size_t index) {
  append(scale_sources_at(analysis_, results_.at(index), to),
         analysis_.scale_sources_of({tensor(name, std::nullopt), from}));
}

void RuleContext::propagate_scales(const std::vector<Place>& places, int64_t to, size_t index) {
  for (const auto& place : places)
    if (!has_scale_source(place.name, place.axis, place.element)) return;
  for (const auto& place : places)
    append(scale_sources_at(analysis_, results_.at(index), to),
           analysis_.scale_sources_of({tensor(place.name, place.element), place.axis}));
}

void RuleContext::propagate_scale_reshaped(const std::string& name, int64_t first_from,
                                           const std::vector<int64_t>& from, int64_t first_to,
                                           const std::vector<int64_t>& to) {
  const ValueId value = tensor(name, std::nullopt);
  for (size_t b = 0; b < to.size(); ++b) {
    if (to[b] == 1) continue;
    const int64_t stride = stride_of(to, b), extent = stride * to[b];
    // The axes of `from` that contain this one as a factor, or that it is a product of: a scale along one of
    // its factors is a scale along it, whatever the others are (positions, a number of copies).
    std::vector<ScaleSource> scaled;
    for (size_t a = from.size(); a-- > 0;) {
      const int64_t own_stride = stride_of(from, a), own_extent = own_stride * from[a];
      if (from[a] == 1 || own_extent <= stride || own_stride >= extent) continue;
      const bool digit = stride % own_stride == 0 && extent <= own_extent;
      const bool part = own_stride % stride == 0 && own_extent <= extent;
      if (!digit && !part) continue;
      for (auto scale_source : analysis_.scale_sources_of({value, first_from + static_cast<int64_t>(a)})) {
        const int64_t repeats = digit ? 1 : own_stride / stride;
        if (digit) scale_source.stride *= stride / own_stride;
        if (!digit)
          scale_source.stride = scale_source.stride % repeats == 0 ? scale_source.stride / repeats : 0;
        scaled.push_back(scale_source);
      }
    }
    append(scale_sources_at(analysis_, results_.at(0), first_to + static_cast<int64_t>(b)), scaled);
  }
}

void RuleContext::propagate_scale_steps(const std::string& name, int64_t from, int64_t to, int64_t step) {
  auto sources = analysis_.scale_sources_of({tensor(name, std::nullopt), from});
  for (auto& source : sources) source.stride *= step;
  append(scale_sources_at(analysis_, results_.at(0), to), sources);
}

void RuleContext::propagate_scale_part(const std::string& name, int64_t along, int64_t start, int64_t length,
                                       Along kept, size_t index) {
  const ValueId value = tensor(name, std::nullopt);
  const auto& axes = *analysis_.axes[value];
  const auto& cut = analysis_.scale_sources_of({value, along});
  for (int64_t d = 0; d < static_cast<int64_t>(axes.size()); ++d) {
    if (d == along && kept == Along::dropped) continue;
    std::vector<ScaleSource> narrowed = analysis_.scale_sources_of({value, d});
    for (auto& scale_source : narrowed) {
      // If the cut axis is the outermost factor of the slices, fewer of them remain.
      for (const auto& whole : cut) {
        if (!whole.is_of(scale_source) || whole.begin != scale_source.begin || whole.end != scale_source.end)
          continue;
        if (whole.stride * axes[along].size != whole.end - whole.begin) continue;
        scale_source.end = scale_source.begin + (start + length) * whole.stride;
        scale_source.begin += start * whole.stride;
        break;
      }
    }
    append(scale_sources_at(analysis_, results_.at(index), d > along && kept == Along::dropped ? d - 1 : d),
           narrowed);
  }
}

}  // namespace inn
