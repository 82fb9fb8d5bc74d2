// Operators that concatenate or split axes: the parts of a sum.

#include <algorithm>

#include "rules/rules.h"

namespace inn::rules {
namespace {

void concatenate(RuleContext& context) {
  std::vector<TensorAxes> parts = context.list_axes("tensors");
  const size_t rank = context.result_sizes().size();
  // torch skips empty vectors, whatever the rank of the others.
  std::erase_if(parts,
                [&](const TensorAxes& axes) { return axes.size() == 1 && rank != 1 && axes[0].size == 0; });
  const auto along = static_cast<size_t>(context.normalize(context.integer("dim"), rank));
  TensorAxes result = parts.at(0);
  std::vector<AxisStructure> terms;
  for (const auto& part : parts) {
    terms.push_back(part.at(along));
    for (size_t d = 0; d < rank; ++d)
      if (d != along) context.unify(result[d], part.at(d));
  }
  result[along] = AxisStructure::of_sum(terms);
  context.set_result(result);
  for (int64_t d = 0; d < static_cast<int64_t>(rank); ++d) {
    std::vector<RuleContext::Place> places;
    for (size_t k = 0; k < context.list_size("tensors"); ++k) places.push_back({"tensors", d, k});
    context.propagate_scales(places, d);
  }
}

void stack(RuleContext& context) {
  const auto parts = context.list_axes("tensors");
  TensorAxes result = parts.at(0);
  for (const auto& part : parts) context.unify(result, part);
  const auto along = context.normalize(context.integer("dim"), result.size() + 1);
  result.insert(result.begin() + along, AxisStructure::of_constant(static_cast<int64_t>(parts.size())));
  context.set_result(result);
  for (int64_t d = 0; d < static_cast<int64_t>(parts[0].size()); ++d) {
    std::vector<RuleContext::Place> places;
    for (size_t k = 0; k < parts.size(); ++k) places.push_back({"tensors", d, k});
    context.propagate_scales(places, d < along ? d : d + 1);
  }
}

/// Gives the results the axes of `self`, each with its part of axis `along`.
void set_parts(RuleContext& context, const TensorAxes& self, int64_t along,
               const std::vector<AxisStructure>& parts) {
  int64_t start = 0;
  for (size_t r = 0; r < context.result_count(); ++r) {
    TensorAxes result = self;
    result[along] = parts.at(r);
    context.set_result(std::move(result), r);
    context.propagate_scale_part("self", along, start, parts[r].size, RuleContext::Along::kept, r);
    start += parts[r].size;
  }
}

/// Whether `count` equal parts of the axis are one part repeated: of a single variable, and of an axis with
/// that many repetitions or with terms that end where the parts do.
bool is_repeated(const RuleContext& context, const AxisStructure& axis, int64_t count) {
  if (axis.is_product()) {
    const AxisStructure& outer = axis.parts[0];
    return context.is_pinned(outer) && (outer.size % count == 0 || count % outer.size == 0);
  }
  if (!axis.is_sum()) return true;
  int64_t end = 0, parts = 0;
  for (const auto& term : axis.parts) {
    end += term.size;
    if (end % (axis.size / count) == 0) ++parts;
  }
  return parts == count;
}

/// The call with the width of each part, which need not stay equal. Nothing if the axis cannot be split.
std::vector<AxisStructure> split_unlike(RuleContext& context, const AxisStructure& whole, int64_t along) {
  std::vector<AxisStructure> parts;
  AxisStructure rest = whole;
  for (size_t r = 0; r < context.result_count(); ++r) {
    const auto halves = context.cut(rest, context.result_sizes(r).at(along));
    if (!halves) return {};
    parts.push_back(halves->first);
    rest = halves->second;
  }
  context.replace_by_sizes(along);
  for (size_t r = 0; r < parts.size(); ++r) context.follow("split_sizes", parts[r], r);
  return parts;
}

/// Equal parts, whose width is the operator's one number: the axis is count·part. An axis with another
/// structure (shuffled channels c·2) is split instead: its parts are then not one part repeated.
void split_evenly(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  const auto along = context.normalize(context.integer("dim", 0), self.size());
  const auto count = static_cast<int64_t>(context.result_count());
  const int64_t size = self[along].size;
  // An axis of fixed size keeps its operator, which follows the sizes of images.
  const bool pinned = context.is_pinned(self[along]);
  std::vector<AxisStructure> parts;
  if (size % count == 0 && (pinned || is_repeated(context, self[along], count))) {
    const AxisStructure part = context.fresh(size / count);
    context.unify(self[along], AxisStructure::of_product({AxisStructure::of_constant(count), part}));
    if (context.has("split_size")) context.follow("split_size", part);
    parts.assign(count, part);
  } else if (!pinned) {
    parts = split_unlike(context, self[along], along);
  }
  if (parts.empty()) {
    context.pin(self[along], context.site() + " splits it into unequal parts");
    for (size_t r = 0; r < context.result_count(); ++r)
      parts.push_back(context.positions(context.result_sizes(r).at(along)));
  }
  set_parts(context, self, along, parts);
}

/// Whether `position` is between two terms of the axis, or splitting there makes two groups of one.
bool may_cut(const RuleContext& context, const AxisStructure& axis, int64_t position) {
  int64_t begin = 0;
  for (const auto& term : axis.is_sum() ? axis.parts : std::vector<AxisStructure>{axis}) {
    if (position <= begin) return true;
    if (position < begin + term.size) return !context.is_pinned(term) || term.is_constant();
    begin += term.size;
  }
  return true;
}

}  // namespace

std::optional<ThreeParts> cut_out(RuleContext& context, const AxisStructure& whole, int64_t start,
                                  int64_t length) {
  if (!may_cut(context, whole, start) || !may_cut(context, whole, start + length)) return std::nullopt;
  const auto at_end = context.cut(whole, start + length);
  const auto at_start = at_end ? context.cut(at_end->first, start) : std::nullopt;
  if (!at_start) return std::nullopt;
  return ThreeParts{at_start->first, at_start->second, at_end->second};
}

namespace {

void split_at(RuleContext& context, const std::string& sizes) {
  const TensorAxes self = context.axes("self");
  const auto along = context.normalize(context.integer("dim", 0), self.size());
  std::vector<AxisStructure> parts;
  AxisStructure rest = self[along];
  for (size_t r = 0; r < context.result_count(); ++r) {
    const int64_t size = context.result_sizes(r).at(along);
    const auto halves = may_cut(context, rest, size) ? context.cut(rest, size) : std::nullopt;
    if (!halves) {
      context.pin(rest, context.site() + " splits it inside a factor that must stay whole");
      while (parts.size() < context.result_count())
        parts.push_back(context.positions(context.result_sizes(parts.size()).at(along)));
      break;
    }
    parts.push_back(halves->first);
    rest = halves->second;
  }
  // Indices are the ends of all parts but the last; negative ones cannot follow the widths before them.
  const auto burned = context.integers(sizes);
  const bool from_end = sizes == "indices" &&
                        std::any_of(burned.begin(), burned.end(), [](int64_t index) { return index < 0; });
  if (from_end) context.replace_by_sizes(along);
  std::vector<AxisStructure> before;
  for (size_t r = 0; r < parts.size(); ++r) {
    before.push_back(parts[r]);
    if (sizes != "indices") context.follow(sizes, parts[r], r);
    if (from_end) context.follow("split_sizes", parts[r], r);
    if (sizes == "indices" && !from_end && r + 1 < parts.size())
      context.follow(sizes, AxisStructure::of_sum(before), r);
  }
  set_parts(context, self, along, parts);
}

/// Start and end of the slice follow the widths. Negative ones could not: the call is rewritten with positions
/// counted from the start of the axis.
void follow_part(RuleContext& context, int64_t along, const ThreeParts& parts, int64_t start, int64_t end) {
  const auto kind = context.call().op == "aten::slice" ? RuleContext::Slice::view : RuleContext::Slice::copy;
  const auto& arguments = context.call().arguments;
  const bool computed = std::any_of(arguments.begin() + 1, arguments.end(),
                                    [](const Argument& argument) { return argument.is_value(); });
  if (start < 0 || end < 0) {
    if (!computed) return context.replace_by_slice(kind, along, parts.before, parts.part);
    context.pin(AxisStructure::of_sum({parts.before, parts.part, parts.after}),
                context.site() + " indexes it from the end by a computed number");
    return;
  }
  const AxisStructure up_to = AxisStructure::of_sum({parts.before, parts.part});
  if (start > 0) context.follow("start", parts.before);
  if (context.has("end") && end <= up_to.size + parts.after.size) context.follow("end", up_to);
}

/// The halves of an axis 2·c, of which one gates the other.
void gate(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  const auto along = context.normalize(context.integer("dim", -1), self.size());
  const AxisStructure half = context.fresh(self[along].size / 2);
  context.unify(self[along], AxisStructure::of_product({AxisStructure::of_constant(2), half}));
  TensorAxes result = self;
  result[along] = half;
  context.set_result(result);
}

/// Every step-th position: of an axis c·step the same one of the `step` in each channel (interleaved pairs).
/// Nothing if they are not channels.
std::optional<AxisStructure> take_steps(RuleContext& context, const AxisStructure& whole, int64_t step) {
  if (context.is_pinned(whole) || whole.size % step != 0) return std::nullopt;
  const AxisStructure channels = context.fresh(whole.size / step);
  context.unify(whole, AxisStructure::of_product({channels, AxisStructure::of_constant(step)}));
  return channels;
}

void slice(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  const auto along = context.normalize(context.integer("dim", 0), self.size());
  const int64_t size = self[along].size, step = context.integer("step", 1);
  const auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size); };
  const int64_t start_burned = context.integer("start", 0);
  const int64_t end_burned = context.has("end") ? context.integer("end") : size;
  const int64_t start = clamp(start_burned), end = std::max(start, clamp(end_burned));
  TensorAxes result = self;
  const AxisStructure whole = self[along];
  std::optional<ThreeParts> parts;
  std::optional<AxisStructure> steps;
  if (end == size && ((start == 0 && step == 1) ||
                      (step > 1 && start < step && (steps = take_steps(context, whole, step))))) {
    if (steps) result[along] = *steps;
    if (context.has("end") && end_burned == size) context.follow("end", whole);
  } else if (step == 1 && (parts = cut_out(context, whole, start, end - start))) {
    result[along] = parts->part;
    follow_part(context, along, *parts, start_burned, end_burned);
  } else {
    context.pin(whole, context.site() + " selects a part that is not a whole number of channels");
    result[along] = context.positions(context.result_sizes().at(along));
  }
  context.set_result(result);
  if (step == 1)
    return context.propagate_scale_part("self", along, start, end - start, RuleContext::Along::kept);
  for (int64_t d = 0; d < static_cast<int64_t>(self.size()); ++d)
    if (d != along) context.propagate_scale("self", d, d);
  if (steps) context.propagate_scale_steps("self", along, along, step);
}

void narrow(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  const auto along = context.normalize(context.integer("dim"), self.size());
  const int64_t start = context.integer("start"), length = context.integer("length");
  TensorAxes result = self;
  if (const auto parts =
          cut_out(context, self[along], start < 0 ? start + self[along].size : start, length)) {
    if (start < 0) {
      context.replace_by_slice(RuleContext::Slice::view, along, parts->before, parts->part);
    } else {
      context.follow("start", parts->before);
      context.follow("length", parts->part);
    }
    result[along] = parts->part;
  } else {
    context.pin(self[along], context.site() + " selects a part that is not a whole number of channels");
    result[along] = context.positions(length);
  }
  context.set_result(result);
}

/// Selects one position, or each one separately: the axis is removed, and its positions are distinguished.
void take_positions(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  const auto along = context.normalize(context.integer("dim", 0), self.size());
  context.pin(self[along], context.site() + " selects individual positions of it");
  TensorAxes result = self;
  result.erase(result.begin() + along);
  const bool all = context.call().op == "aten::unbind";
  const int64_t index = all ? 0 : context.integer("index"), size = self[along].size;
  for (size_t r = 0; r < context.result_count(); ++r) {
    context.set_result(result, r);
    const int64_t taken = all ? static_cast<int64_t>(r) : index < 0 ? index + size : index;
    context.propagate_scale_part("self", along, taken, 1, RuleContext::Along::dropped, r);
  }
}

/// Padding with a constant adds new channels: [before ⊕ self ⊕ after].
void pad(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  const auto amounts = context.integers("pad");
  const bool constant = context.text("mode", "constant") == "constant";
  TensorAxes result = self;
  for (size_t k = 0; 2 * k + 1 < amounts.size(); ++k) {
    const size_t d = self.size() - 1 - k;
    const int64_t before = amounts[2 * k], after = amounts[2 * k + 1];
    if (before == 0 && after == 0) continue;
    if (constant && before >= 0 && after >= 0 && !(context.is_pinned(self[d]) || self[d].is_constant())) {
      const AxisStructure first = context.fresh(before), second = context.fresh(after);
      context.follow("pad", first, 2 * k);
      context.follow("pad", second, 2 * k + 1);
      result[d] = AxisStructure::of_sum({first, self[d], second});
      continue;
    }
    context.pin(self[d], context.site() + " pads it");
    const int64_t size = context.result_sizes().at(d);
    result[d] = self[d].is_constant() ? AxisStructure::of_constant(size) : context.positions(size);
  }
  context.set_result(result);
  for (int64_t d = 0; constant && d < static_cast<int64_t>(self.size()); ++d)
    context.propagate_scale("self", d, d);
}

}  // namespace

void add_partition(RuleTable& table) {
  table.add({"aten::cat", "aten::concat", "aten::concatenate"},
            "axis dim of the result is the sum of those of the tensors", concatenate);
  table.add({"aten::stack"}, "the tensors have equal axes; the result has a new one for their number", stack);
  table.add({"aten::chunk", "aten::unsafe_chunk", "aten::split.Tensor", "aten::unsafe_split",
             "aten::tensor_split.sections"},
            "axis dim of self is count·part, or the sum of unequal parts where it is a concatenation",
            split_evenly);
  table.add({"aten::split_with_sizes", "aten::split.sizes"}, "axis dim of self is the sum of the parts",
            [](RuleContext& context) {
              split_at(context, context.call().op == "aten::split" ? "split_size" : "split_sizes");
            });
  table.add({"aten::tensor_split.indices"}, "axis dim of self is the sum of the parts",
            [](RuleContext& context) { split_at(context, "indices"); });
  table.add({"aten::glu"}, "axis dim of self is 2·c, of the result c", gate);
  table.add(
      {"aten::slice", "aten::slice_copy"},
      "axis dim of self is [before ⊕ result ⊕ after]; with a step that divides its size it is result·step",
      slice);
  table.add({"aten::narrow"}, "axis dim of self is [before ⊕ result ⊕ after]", narrow);
  table.add({"aten::select", "aten::unbind"}, "axis dim is removed; it is positional", take_positions);
  table.add({"aten::pad", "aten::constant_pad_nd"}, "an axis padded by a constant is [before ⊕ self ⊕ after]",
            pad);
}

}  // namespace inn::rules
