#include "call_view.h"

#include <ATen/core/function_schema.h>

#include <algorithm>

#include "inn/core/error.h"

namespace inn::onnx {

CallView::CallView(Emitter& emitter, const Call& call) : emitter_(emitter), call_(call) {
  for (const auto& argument : find_schema(call.op, call.overload).arguments())
    names_.push_back(argument.name());
}

void CallView::refuse(const std::string& why) const {
  raise("network", "ONNX: {} in module '{}' is not supported: {}.", call_.qualified_name(), call_.module,
        why);
}

bool CallView::has(const std::string& name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  return found != names_.end() && !call_.arguments[static_cast<size_t>(found - names_.begin())].is_none();
}

const Argument& CallView::argument(const std::string& name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) refuse("it has no argument '" + name + "'");
  return call_.arguments[static_cast<size_t>(found - names_.begin())];
}

Name CallView::tensor(const std::string& name, std::optional<c10::ScalarType> type) const {
  if (!has(name)) return "";
  const auto& given = argument(name);
  if (given.is_value()) return emitter_.name_of(given.value());
  if (given.is_constant() && given.constant().isScalar())
    return emitter_.scalar(given.constant().toScalar(), type.value_or(result().dtype));
  if (given.is_constant() && given.constant().isBool())
    return emitter_.scalar(given.constant().toBool(), type.value_or(result().dtype));
  refuse("'" + name + "' is not a tensor");
}

std::vector<Name> CallView::tensors(const std::string& name) const {
  std::vector<Name> result;
  for (const auto& item : list(name)) {
    if (!item.is_value()) refuse("'" + name + "' has an element that is not a tensor");
    result.push_back(emitter_.name_of(item.value()));
  }
  return result;
}

int64_t CallView::integer(const std::string& name) const {
  const auto& given = argument(name);
  if (const auto number = emitter_.known_size(given)) return *number;
  if (given.is_constant() && given.constant().isBool()) return given.constant().toBool();
  refuse("'" + name + "' is computed");
}

c10::Scalar CallView::scalar(const std::string& name) const {
  const auto& given = argument(name);
  if (!given.is_constant() || !given.constant().isScalar()) refuse("'" + name + "' is computed");
  return given.constant().toScalar();
}

double CallView::number(const std::string& name) const { return scalar(name).toDouble(); }

bool CallView::flag(const std::string& name) const {
  if (!has(name)) return false;
  const auto& given = argument(name);
  if (!given.is_constant() || !given.constant().isBool()) refuse("'" + name + "' is computed");
  return given.constant().toBool();
}

std::string CallView::text(const std::string& name) const {
  const auto& given = argument(name);
  if (!given.is_constant() || !given.constant().isString()) refuse("'" + name + "' is not a text");
  return given.constant().toStringRef();
}

std::vector<Argument> CallView::list(const std::string& name) const {
  const auto& given = argument(name);
  if (given.is_list()) return given.list();
  std::vector<Argument> result;
  if (given.is_constant() && given.constant().isIntList())
    for (const auto number : given.constant().toIntVector()) result.emplace_back(c10::IValue(number));
  else if (given.is_constant() && given.constant().isList())
    for (const auto& item : given.constant().toListRef()) result.emplace_back(item);
  else
    result.push_back(given);
  return result;
}

std::vector<int64_t> CallView::integers(const std::string& name, size_t count) const {
  std::vector<int64_t> result;
  for (const auto& item : list(name)) {
    const auto number = emitter_.known_size(item);
    if (!number) refuse("'" + name + "' is computed");
    result.push_back(*number);
  }
  if (count > 1 && result.size() == 1) result.assign(count, result[0]);
  return result;
}

const Value& CallView::value(const std::string& name) const {
  const auto& given = argument(name);
  if (!given.is_value()) refuse("'" + name + "' is not a tensor");
  return emitter_.network().values[static_cast<size_t>(given.value())];
}

bool CallView::is_dynamic(int64_t axis, const std::string& of) const {
  return onnx::is_dynamic(value(of), static_cast<size_t>(axis));
}

int64_t CallView::axis(const std::string& name, const std::string& of) const {
  const int64_t given = integer(name);
  return given < 0 ? given + rank(of) : given;
}

std::vector<int64_t> CallView::axes(const std::string& name, const std::string& of) const {
  std::vector<int64_t> result;
  if (has(name))
    for (const auto given : integers(name)) result.push_back(given < 0 ? given + rank(of) : given);
  return result;
}

const Value& CallView::result(size_t place) const {
  return emitter_.network().values[static_cast<size_t>(call_.results.at(place).values.at(0))];
}

}  // namespace inn::onnx
