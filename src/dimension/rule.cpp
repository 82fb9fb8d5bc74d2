#include "inn/dimension/rule.h"

#include <ATen/core/function_schema.h>

#include "analysis.h"
#include "inn/core/error.h"

namespace inn {

std::string site_of(const Call& call) {
  return call.module.empty() ? call.qualified_name() : call.qualified_name() + " (" + call.module + ")";
}

RuleContext::RuleContext(Analysis& analysis, size_t call_index)
    : analysis_(analysis), call_index_(call_index) {
  site_ = site_of(call());
  for (const auto& result : call().results)
    results_.insert(results_.end(), result.values.begin(), result.values.end());
  of_parameters_ = true;
  for (const auto& argument : call().arguments)
    argument.for_each_value(
        [&](ValueId id) { of_parameters_ = of_parameters_ && analysis_.of_parameters[id]; });
  for (const auto id : results_) analysis_.of_parameters[id] = of_parameters_;
}

const Call& RuleContext::call() const { return analysis_.network.calls[call_index_]; }

// ---- arguments ----

std::optional<size_t> RuleContext::position(const std::string& name) const {
  const auto replaced = analysis_.replacements.find(call_index_);
  const Call& now = replaced == analysis_.replacements.end() ? call() : replaced->second;
  const auto index = find_schema(now.op, now.overload).argumentIndexWithName(name);
  if (!index) return std::nullopt;
  return static_cast<size_t>(*index);
}

const Argument& RuleContext::argument(const std::string& name) const {
  const auto index = position(name);
  if (!index) raise("dimension", "{}: no argument '{}'.", site_, name);
  return call().arguments.at(*index);
}

bool RuleContext::has(const std::string& name) const {
  const auto index = position(name);
  return index && !call().arguments.at(*index).is_none();
}

bool RuleContext::is_tensor(const std::string& name) const {
  if (!has(name)) return false;
  const auto& value = argument(name);
  return value.is_value() && analysis_.axes[value.value()].has_value();
}

int64_t RuleContext::integer(const std::string& name, int64_t fallback) const {
  if (!has(name)) return fallback;
  const auto& value = argument(name);
  if (value.is_value() && analysis_.integers[value.value()]) return analysis_.integers[value.value()]->size;
  require(value.is_constant() && value.constant().isInt(), "dimension",
          "{}: '{}' must be a constant integer.", site_, name);
  return value.constant().toInt();
}

double RuleContext::number(const std::string& name, double fallback) const {
  if (!has(name)) return fallback;
  const auto& value = argument(name);
  require(value.is_constant() && value.constant().isScalar(), "dimension",
          "{}: '{}' must be a constant number.", site_, name);
  return value.constant().toScalar().toDouble();
}

bool RuleContext::flag(const std::string& name, bool fallback) const {
  if (!has(name)) return fallback;
  const auto& value = argument(name);
  require(value.is_constant() && value.constant().isBool(), "dimension", "{}: '{}' must be a constant bool.",
          site_, name);
  return value.constant().toBool();
}

std::string RuleContext::text(const std::string& name, const std::string& fallback) const {
  if (!has(name)) return fallback;
  const auto& value = argument(name);
  require(value.is_constant() && value.constant().isString(), "dimension", "{}: '{}' must be a string.",
          site_, name);
  return value.constant().toStringRef();
}

std::vector<int64_t> RuleContext::integers(const std::string& name) const {
  if (!has(name)) return {};
  const auto& value = argument(name);
  if (value.is_list()) {
    std::vector<int64_t> numbers;
    for (const auto& item : value.list())
      numbers.push_back(item.is_constant() && item.constant().isInt() ? item.constant().toInt() : -1);
    return numbers;
  }
  if (value.is_constant() && value.constant().isInt()) return {value.constant().toInt()};
  require(value.is_constant() && value.constant().isIntList(), "dimension",
          "{}: '{}' must be a list of integers.", site_, name);
  return value.constant().toIntVector();
}

size_t RuleContext::list_size(const std::string& name) const {
  if (!has(name)) return 0;
  const auto& value = argument(name);
  if (value.is_list()) return value.list().size();
  return integers(name).size();
}

std::vector<std::string> RuleContext::tensor_arguments() const {
  std::vector<std::string> names;
  for (const auto& schema_argument : find_schema(call().op, call().overload).arguments())
    if (is_tensor(schema_argument.name())) names.push_back(schema_argument.name());
  return names;
}

TensorAxes RuleContext::axes(const std::string& name) const {
  require(is_tensor(name), "dimension", "{}: argument '{}' must be a tensor.", site_, name);
  TensorAxes resolved;
  for (const auto& axis : *analysis_.axes[argument(name).value()])
    resolved.push_back(analysis_.algebra.resolve(axis));
  return resolved;
}

std::vector<TensorAxes> RuleContext::list_axes(const std::string& name) const {
  require(argument(name).is_list(), "dimension", "{}: argument '{}' must be a list of tensors.", site_, name);
  std::vector<TensorAxes> all;
  for (const auto& item : argument(name).list()) {
    if (!item.is_value() || !analysis_.axes[item.value()]) continue;
    TensorAxes resolved;
    for (const auto& axis : *analysis_.axes[item.value()])
      resolved.push_back(analysis_.algebra.resolve(axis));
    all.push_back(std::move(resolved));
  }
  return all;
}

std::vector<bool> RuleContext::optional_tensors(const std::string& name) const {
  std::vector<bool> there;
  for (const auto& item : argument(name).list()) there.push_back(item.is_value());
  return there;
}

std::vector<c10::ScalarType> RuleContext::list_dtypes(const std::string& name) const {
  std::vector<c10::ScalarType> dtypes;
  for (const auto& item : argument(name).list())
    if (item.is_value()) dtypes.push_back(analysis_.network.values[item.value()].dtype);
  return dtypes;
}

at::Tensor RuleContext::constant_tensor(const std::string& name, std::optional<size_t> element) const {
  const auto found = analysis_.constant_integers.find(tensor(name, element));
  return found == analysis_.constant_integers.end() ? at::Tensor() : found->second;
}

const std::vector<int64_t>& RuleContext::result_sizes(size_t index) const {
  return analysis_.network.values[results_.at(index)].sizes;
}

std::optional<AxisStructure> RuleContext::integer_axis(const std::string& name) {
  if (!has(name)) return std::nullopt;
  const auto& value = argument(name);
  if (value.is_value()) return analysis_.integers[value.value()];
  if (!value.is_constant() || !value.constant().isInt() || value.constant().toInt() < 0) return std::nullopt;
  return size_argument(name, value.constant().toInt());
}

namespace {

/// The integer argument, or element of a list of them. One integer may stand where a list of one is meant.
const Argument& item_of(const Argument& argument, std::optional<size_t> element) {
  return element && argument.is_list() ? argument.list().at(*element) : argument;
}

}  // namespace

AxisStructure RuleContext::size_argument(const std::string& name, int64_t actual,
                                         std::optional<size_t> element) {
  const auto& item = item_of(argument(name), element);
  if (item.is_value()) {
    const auto& known = analysis_.integers[item.value()];
    if (known && known->size == actual) {
      const AxisStructure size = analysis_.algebra.resolve(*known);
      if (!size.is_product() && !size.is_sum()) return size;
    }
  }
  const AxisStructure axis = fresh(actual);
  if (!item.is_value() && analysis_.has_dynamic_sizes) analysis_.algebra.note(axis, Algebra::Varies::never);
  follow(name, axis, element);
  return axis;
}

void RuleContext::follow(const std::string& name, const AxisStructure& axis, std::optional<size_t> element) {
  const auto index = position(name);
  if (!index) raise("dimension", "{}: no argument '{}'.", site_, name);
  const bool is_replaced = analysis_.replacements.contains(call_index_);
  const Argument* item = is_replaced ? nullptr : &item_of(argument(name), element);
  if (item == nullptr || !item->is_value()) {
    analysis_.sizes.push_back({call_index_, *index, element, axis});
    return;
  }
  const auto& known = analysis_.integers[item->value()];
  if (known && known->size == axis.size)
    analysis_.algebra.equate_size(axis, *known, site_);
  else
    pin(axis, fmt::format("{} uses a size that the network computes", site_));
}

void RuleContext::equate_quotient(const AxisStructure& whole, const AxisStructure& part,
                                  const AxisStructure& factor) {
  analysis_.algebra.equate_quotient(whole, part, factor, site_);
}

void RuleContext::equate_difference(const AxisStructure& whole, const AxisStructure& part,
                                    const AxisStructure& rest) {
  analysis_.algebra.equate_difference(whole, part, rest, site_);
}

void RuleContext::replace_by_sizes(int64_t along) {
  Call split = call();
  std::vector<int64_t> sizes;
  for (size_t r = 0; r < result_count(); ++r) sizes.push_back(result_sizes(r).at(along));
  const Argument self = argument("self");
  split.op = "aten::split_with_sizes";
  split.overload = "";
  split.arguments = {self, Argument(c10::IValue(sizes)), Argument(c10::IValue(along))};
  analysis_.replacements.insert_or_assign(call_index_, std::move(split));
}

void RuleContext::replace_by_slice(Slice kind, int64_t along, const AxisStructure& before,
                                   const AxisStructure& part) {
  Call slice = call();
  slice.op = kind == Slice::view ? "aten::slice" : "aten::slice_copy";
  slice.overload = "Tensor";
  slice.arguments = {argument("self"), Argument(c10::IValue(along)), Argument(c10::IValue(before.size)),
                     Argument(c10::IValue(before.size + part.size)), Argument(c10::IValue(int64_t{1}))};
  analysis_.replacements.insert_or_assign(call_index_, std::move(slice));
  follow("start", before);
  follow("end", AxisStructure::of_sum({before, part}));
}

// ---- equations ----

AxisStructure RuleContext::fresh(int64_t size) { return analysis_.algebra.fresh(size); }
void RuleContext::unify(const AxisStructure& a, const AxisStructure& b) {
  analysis_.algebra.unify(a, b, site_);
}
void RuleContext::pin(const AxisStructure& axis, const std::string& reason) {
  analysis_.algebra.pin(axis, reason);
}

void RuleContext::fix(const AxisStructure& axis) {
  analysis_.algebra.fix(axis, site_ + ": not a channel dimension (spatial or index)");
}

void RuleContext::fix(const std::string& name, int64_t axis) {
  const ValueId value = tensor(name, std::nullopt);
  fix(analysis_.axes[value]->at(axis));
  for (const auto& source : analysis_.scale_sources_of({value, axis})) {
    const int64_t whole = analysis_.network.state[source.state].tensor.size(source.axis);
    if (source.stride == 1 && analysis_.axes[value]->at(axis).size == whole)
      analysis_.position_axes.emplace(source.state, source.axis);
  }
}

void RuleContext::unify(const TensorAxes& a, const TensorAxes& b) {
  require(a.size() == b.size(), "dimension",
          "{}: expected one axis per dimension but got {} axes for {} dimensions.", site_, a.size(),
          b.size());
  for (size_t d = 0; d < a.size(); ++d) unify(a[d], b[d]);
}

std::optional<std::pair<AxisStructure, AxisStructure>> RuleContext::cut(const AxisStructure& axis,
                                                                        int64_t position) {
  return analysis_.algebra.cut(axis, position, site_);
}

bool RuleContext::is_pinned(const AxisStructure& axis) const {
  bool all = true;
  analysis_.algebra.resolve(axis).for_each_variable(
      [&](const AxisStructure& leaf) { all = all && analysis_.algebra.pinned(leaf.variable).has_value(); });
  return all;
}

AxisStructure RuleContext::positions(int64_t size) {
  const AxisStructure axis = fresh(size);
  fix(axis);
  return axis;
}

void RuleContext::set_constant(const std::string& name, c10::IValue value) {
  analysis_.constants.push_back({call_index_, position(name).value(), std::move(value)});
}

bool RuleContext::is_read(size_t index) const { return analysis_.read[results_.at(index)]; }

void RuleContext::clamp_to_source_range(const std::string& name) {
  for (const auto& axis : analysis_.scale_sources[argument(name).value()])
    for (const auto& scale_source : axis)
      if (!scale_source.is_softmax()) analysis_.bounded[scale_source.state] = true;
}

void RuleContext::set_result(TensorAxes axes, size_t index) {
  analysis_.axes[results_.at(index)] = std::move(axes);
}

TensorAxes RuleContext::result_axes(size_t index) const {
  TensorAxes resolved;
  for (const auto& axis : *analysis_.axes[results_.at(index)])
    resolved.push_back(analysis_.algebra.resolve(axis));
  return resolved;
}

void RuleContext::set_integer(const AxisStructure& size, size_t index) {
  analysis_.integers[results_.at(index)] = size;
}

int64_t RuleContext::normalize(int64_t axis, size_t rank) const {
  const auto count = static_cast<int64_t>(rank);
  const int64_t normalized = axis < 0 ? axis + count : axis;
  require(normalized >= 0 && (normalized < count || (count == 0 && normalized == 0)), "dimension",
          "{}: axis must be in [{}, {}) but got {}.", site_, -count, count, axis);
  return normalized;
}

// ---- the table ----

void RuleTable::add(OperatorRule rule) {
  const std::string op = rule.op;
  require(rules_.emplace(op, std::move(rule)).second, "dimension", "Operator '{}': already has a rule.", op);
}

void RuleTable::add(const std::vector<std::string>& ops, const std::string& doc,
                    const std::function<void(RuleContext&)>& apply) {
  for (const auto& op : ops) add({op, doc, apply});
}

const OperatorRule* RuleTable::find(const Call& call) const {
  std::vector<std::string> names{call.qualified_name(), call.op};
  if (call.op.ends_with('_') && !call.op.ends_with("__")) {
    const auto out_of_place = call.op.substr(0, call.op.size() - 1);
    names.push_back(call.overload.empty() ? out_of_place : out_of_place + "." + call.overload);
    names.push_back(out_of_place);
  }
  for (const auto& name : names)
    if (const auto found = rules_.find(name); found != rules_.end()) return &found->second;
  return nullptr;
}

}  // namespace inn
