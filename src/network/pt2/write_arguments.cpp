#include "write_arguments.h"

#include <cmath>

#include "../schema.h"
#include "codes.h"
#include "failure.h"

namespace inn::pt2 {
namespace {

using c10::TypeKind;

Json write_double(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

Json write_constant(const c10::IValue& constant, TypeKind kind) {
  if (constant.isNone()) return {{"as_none", true}};
  if (constant.isBool()) return {{"as_bool", constant.toBool()}};
  if (constant.isDouble()) return {{"as_float", write_double(constant.toDouble())}};
  if (constant.isString()) return {{"as_string", constant.toStringRef()}};
  // An archive is for the CPU, wherever the network is now.
  if (constant.isDevice())
    return {{"as_device",
             to_json(constant.toDevice().is_meta() ? c10::Device(c10::kMeta) : c10::Device(c10::kCPU))}};
  if (constant.isComplexDouble()) {
    const auto value = constant.toComplexDouble();
    return {{"as_complex", {{"real", write_double(value.real())}, {"imag", write_double(value.imag())}}}};
  }
  if (!constant.isInt()) refuse("a constant of type {} can't be written", constant.tagKind());
  const auto number = constant.toInt();
  if (kind == TypeKind::ScalarTypeType)
    return {{"as_scalar_type", code_of(static_cast<c10::ScalarType>(number))}};
  if (kind == TypeKind::LayoutType) return {{"as_layout", code_of(static_cast<c10::Layout>(number))}};
  if (kind == TypeKind::MemoryFormatType)
    return {{"as_memory_format", code_of(static_cast<c10::MemoryFormat>(number))}};
  return {{"as_int", number}};
}

Json write_list(const std::vector<Argument>& items, const c10::TypePtr& element,
                const ArgumentContext& context) {
  const auto kind = element ? without_optional(element)->kind() : TypeKind::AnyType;
  Json written = Json::array();
  std::string tag;
  bool has_none = false, has_name = false;
  for (const auto& item : items) {
    has_none |= item.is_none();
    has_name |= item.is_value() || item.is_size();
    written.push_back(write_argument(item, element, context));
  }
  if (kind == TypeKind::TensorType) {
    Json tensors = Json::array();
    for (auto& item : written) tensors.push_back(has_none ? item : member(item, "as_tensor"));
    return {{has_none ? "as_optional_tensors" : "as_tensors", tensors}};
  }
  const char* name = kind == TypeKind::FloatType    ? "float"
                     : kind == TypeKind::BoolType   ? "bool"
                     : kind == TypeKind::StringType ? "string"
                                                    : "int";
  // In a symbolic list each item is {"as_int": 3} or {"as_name": "n"}; in a plain one it is the number
  // itself.
  Json values = Json::array();
  for (const auto& item : written) {
    const auto [item_tag, content] = tagged(item);
    values.push_back(!has_name ? content : item_tag.starts_with("as_sym") ? content : item);
  }
  return {{fmt::format("as_{}{}s", has_name ? "sym_" : "", name), values}};
}

bool is_default(const Argument& argument, const c10::Argument& place) {
  return argument.is_constant() && place.default_value() && argument.constant() == *place.default_value();
}

}  // namespace

Json write_value(ValueId id, const ArgumentContext& context) {
  const auto& value = context.network.values[id];
  const auto& name = context.names[id];
  if (value.kind == Value::Kind::tensor) return {{"as_tensor", {{"name", name}}}};
  const char* tag = value.kind == Value::Kind::integer     ? "as_sym_int"
                    : value.dtype == c10::ScalarType::Bool ? "as_sym_bool"
                                                           : "as_sym_float";
  return {{tag, {{"as_name", name}}}};
}

Json write_argument(const Argument& argument, const c10::TypePtr& declared, const ArgumentContext& context) {
  const auto type = declared ? without_optional(declared) : nullptr;
  const auto element =
      type && type->kind() == TypeKind::ListType ? type->castRaw<c10::ListType>()->getElementType() : nullptr;
  if (argument.is_value()) return write_value(argument.value(), context);
  if (argument.is_list()) return write_list(argument.list(), element, context);
  if (argument.is_size()) {
    auto symbolic = context.symbolic_of_size(argument.size());
    return symbolic.contains("as_int") ? symbolic : Json{{"as_sym_int", symbolic}};
  }
  if (argument.constant().isList()) {
    std::vector<Argument> items;
    for (const auto& item : argument.constant().toListRef()) items.emplace_back(item);
    return write_list(items, element, context);
  }
  return write_constant(argument.constant(), type ? type->kind() : TypeKind::AnyType);
}

Json write_arguments(const Call& call, const c10::FunctionSchema& schema, const ArgumentContext& context) {
  const auto& places = schema.arguments();
  size_t positional = 0;  // how many must be written
  for (size_t i = 0; i < places.size(); ++i)
    if (!places[i].kwarg_only() && !is_default(call.arguments[i], places[i])) positional = i + 1;
  Json written = Json::array();
  for (size_t i = 0; i < places.size(); ++i) {
    const bool keyword = places[i].kwarg_only();
    if (keyword ? is_default(call.arguments[i], places[i]) : i >= positional) continue;
    written.push_back({{"name", places[i].name()},
                       {"arg", write_argument(call.arguments[i], places[i].real_type(), context)},
                       {"kind", keyword ? 2 : 1}});
  }
  return written;
}

}  // namespace inn::pt2
