#include "read_arguments.h"

#include "../schema.h"
#include "codes.h"
#include "failure.h"

namespace inn::pt2 {
namespace {

using c10::TypeKind;

c10::TypePtr element_type(const c10::TypePtr& type) {
  const auto list = type ? type->cast<c10::ListType>() : nullptr;
  return list ? list->getElementType() : nullptr;
}

/// A number takes the type of its place, as Python's arguments do.
Argument fitted(Argument argument, const c10::TypePtr& type) {
  if (!type || !argument.is_constant()) return argument;
  const auto& constant = argument.constant();
  if (type->kind() == TypeKind::FloatType && constant.isInt()) return c10::IValue(double(constant.toInt()));
  if (type->kind() == TypeKind::IntType && constant.isBool()) return c10::IValue(int64_t{constant.toBool()});
  if (type->kind() == TypeKind::IntType && constant.isDouble())
    fail("expected an integer but got {}", constant.toDouble());
  return argument;
}

Argument list_of(std::vector<Argument> items, const c10::TypePtr& element) {
  const bool constant = std::all_of(
      items.begin(), items.end(), [](const Argument& item) { return item.is_constant() && !item.is_none(); });
  if (!constant || !element) return items;
  c10::impl::GenericList list(element);
  for (const auto& item : items) list.push_back(item.constant());
  return c10::IValue(list);
}

/// Reads {"as_name": …} or {"as_int": …}, the numbers that may be symbols.
Argument read_symbolic(const Json& value, const Scope& scope) {
  const auto [tag, content] = tagged(value);
  if (tag == "as_name") return scope.find(text(content));
  if (tag == "as_int") return c10::IValue(integer(content));
  if (tag == "as_float") return c10::IValue(number(content));
  if (tag == "as_bool") return c10::IValue(boolean(content));
  fail("JSON: '{}' is not a symbolic number", tag);
}

Argument read_optional_tensor(const Json& value, const Scope& scope) {
  const auto [tag, content] = tagged(value);
  if (tag == "as_none") return Argument();
  if (tag != "as_tensor") fail("JSON: '{}' is not an optional tensor", tag);
  return scope.find(text(member(content, "name")));
}

Argument read_scalar(const std::string& tag, const Json& value, const Scope& scope) {
  if (tag == "as_none") return Argument();
  if (tag == "as_tensor") return scope.find(text(member(value, "name")));
  if (tag == "as_int") return c10::IValue(integer(value));
  if (tag == "as_float") return c10::IValue(number(value));
  if (tag == "as_bool") return c10::IValue(boolean(value));
  if (tag == "as_string") return c10::IValue(text(value));
  if (tag == "as_sym_int" || tag == "as_sym_float" || tag == "as_sym_bool")
    return read_symbolic(value, scope);
  if (tag == "as_scalar_type") return c10::IValue(static_cast<int64_t>(dtype_from_code(integer(value))));
  if (tag == "as_memory_format")
    return c10::IValue(static_cast<int64_t>(memory_format_from_code(integer(value))));
  if (tag == "as_layout") return c10::IValue(static_cast<int64_t>(layout_from_code(integer(value))));
  if (tag == "as_device") return c10::IValue(device_from_json(value));
  if (tag == "as_optional_tensor") return read_optional_tensor(value, scope);
  if (tag == "as_complex")
    return c10::IValue(c10::complex<double>(number(member(value, "real")), number(member(value, "imag"))));
  refuse("an argument of the kind '{}' is not supported", tag);
}

/// The tag of a list's items, or "" for what is no list.
std::string item_tag(const std::string& tag) {
  for (const char* kind : {"int", "float", "bool", "string", "tensor", "sym_int", "sym_float", "sym_bool"})
    if (tag == fmt::format("as_{}s", kind)) return fmt::format("as_{}", kind);
  return tag == "as_optional_tensors" ? "as_optional_tensor" : "";
}

}  // namespace

void Scope::define(const std::string& name, Argument meaning) {
  if (!meanings_.emplace(name, std::move(meaning)).second) fail("value '{}' is defined twice", name);
}

const Argument& Scope::find(const std::string& name) const {
  const auto found = meanings_.find(name);
  if (found == meanings_.end()) fail("value '{}' is used before it is defined, or never defined", name);
  return found->second;
}

Argument read_argument(const Json& value, const c10::TypePtr& declared, const Scope& scope) {
  const auto [tag, content] = tagged(value);
  const auto type = declared ? without_optional(declared) : nullptr;
  const auto items_are = item_tag(tag);
  if (items_are.empty()) return fitted(read_scalar(tag, content, scope), type);
  const auto element = element_type(type);
  const auto item_type = element ? without_optional(element) : nullptr;
  std::vector<Argument> items;
  for (const auto& item : array(content))
    items.push_back(fitted(read_scalar(items_are, item, scope), item_type));
  return list_of(std::move(items), element);
}

std::vector<Argument> read_arguments(const Json& inputs, const c10::FunctionSchema& schema,
                                     const Scope& scope) {
  std::map<std::string, const Json*> given;
  for (const auto& input : array(inputs)) {
    const auto& name = text(member(input, "name"));
    if (!schema.argumentIndexWithName(name)) fail("{} has no argument '{}'", schema.name(), name);
    if (!given.emplace(name, &member(input, "arg")).second) fail("argument '{}' is given twice", name);
  }
  std::vector<Argument> arguments;
  for (const auto& place : schema.arguments()) {
    const auto found = given.find(place.name());
    if (found == given.end()) {
      if (!place.default_value()) fail("argument '{}' is missing", place.name());
      arguments.push_back(*place.default_value());
      continue;
    }
    auto argument = read_argument(*found->second, place.type(), scope);
    const auto element = element_type(without_optional(place.type()));
    const bool one_for_list =
        element && argument.is_constant() && !argument.is_none() && !argument.constant().isList();
    if (one_for_list) {
      const std::vector<Argument> items(place.N().value_or(1), fitted(argument, element));
      argument = list_of(items, element);
    }
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

}  // namespace inn::pt2
