#include "read_values.h"

#include "codes.h"
#include "failure.h"

namespace inn::pt2 {
namespace {

constexpr std::string_view kNoModule = "_empty_nn_module_stack_from_metadata_hook";

void read_sizes(const Json& sizes, Value& value) {
  for (const auto& size : array(sizes)) {
    const auto [tag, content] = tagged(size);
    if (tag == "as_int") {
      value.sizes.push_back(integer(content));
      value.formulas.emplace_back();
    } else if (tag == "as_expr") {
      const auto& hint = optional_member(content, "hint");
      value.sizes.push_back(hint.is_null() ? -1 : integer(member(hint, "as_int")));
      value.formulas.push_back(text(member(content, "expr_str")));
    } else {
      fail("value '{}': '{}' is not a size", value.name, tag);
    }
    if (value.sizes.back() < 0 && value.formulas.back().empty())
      fail("value '{}': it has the negative size {}", value.name, value.sizes.back());
  }
}

void read_number(const Json& size, Value& value) {
  const auto [tag, content] = tagged(size);
  if (tag == "as_int") {
    value.number = integer(content);
    return;
  }
  const auto& hint = optional_member(content, "hint");
  value.number = hint.is_null() ? -1 : integer(member(hint, "as_int"));
  value.formula = text(member(content, "expr_str"));
}

/// Splits at `separator`, but not inside brackets.
std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (c == separator && depth == 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

}  // namespace

Value read_value(const Json& graph, const std::string& tag, const std::string& name) {
  Value value{.name = name};
  if (tag == "as_tensor") {
    const auto& meta = member(member(graph, "tensor_values"), name);
    value.dtype = dtype_from_code(integer(member(meta, "dtype")));
    read_sizes(member(meta, "sizes"), value);
    return value;
  }
  value.kind = tag == "as_sym_int" ? Value::Kind::integer : Value::Kind::other;
  value.dtype = tag == "as_sym_int"    ? c10::ScalarType::Long
                : tag == "as_sym_bool" ? c10::ScalarType::Bool
                                       : c10::ScalarType::Double;
  if (tag == "as_sym_int") read_number(member(member(graph, "sym_int_values"), name), value);
  return value;
}

Owner read_owner(const Json& node) {
  const auto& metadata = optional_member(node, "metadata");
  if (!metadata.is_object()) return {};
  const auto& stack = optional_member(metadata, "nn_module_stack");
  if (!stack.is_string()) return {};
  // "key,path,class;key,path,class": the innermost module is the last. A module called again is "path@1".
  const auto parts = split(split(text(stack), ';').back(), ',');
  if (parts.size() != 3 || parts[1] == kNoModule) return {};
  return {parts[1].substr(0, parts[1].find('@')), parts[2]};
}

}  // namespace inn::pt2
