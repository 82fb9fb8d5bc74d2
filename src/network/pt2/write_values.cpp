#include "write_values.h"

#include "codes.h"
#include "inn/core/checked_integer.h"

namespace inn::pt2 {
namespace {

constexpr int kStridedLayout = 7;

std::string formula_of(const Size& size) {
  return size.formula.empty() ? fmt::format("Integer({})", size.value) : size.formula;
}

/// Says whether both sizes are known.
bool are_known(const Size& a, const Size& b) { return a.value >= 0 && b.value >= 0; }

Size combined(const Size& a, const Size& b, int64_t value, const char* operation) {
  if (a.formula.empty() && b.formula.empty()) return {value};
  return {value, fmt::format("{}({}, {})", operation, formula_of(a), formula_of(b))};
}

std::vector<Size> contiguous_strides(const std::vector<Size>& sizes) {
  std::vector<Size> strides(sizes.size(), Size{1});
  for (size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * sizes[i];
  return strides;
}

Json meta(c10::ScalarType dtype, const std::vector<Size>& sizes, const std::vector<Size>& strides,
          bool requires_grad) {
  Json written_sizes = Json::array(), written_strides = Json::array();
  for (size_t i = 0; i < sizes.size(); ++i) {
    written_sizes.push_back(to_json(sizes[i]));
    written_strides.push_back(to_json(strides[i]));
  }
  return {{"dtype", code_of(dtype)},        {"sizes", written_sizes},
          {"requires_grad", requires_grad}, {"device", to_json(c10::Device(c10::kCPU))},
          {"strides", written_strides},     {"storage_offset", {{"as_int", 0}}},
          {"layout", kStridedLayout}};
}

/// A part of a module stack may hold neither of its separators.
std::string stack_part(std::string text) {
  for (char& c : text)
    if (c == ',' || c == ';') c = '_';
  return text;
}

}  // namespace

Json to_json(const Size& size) {
  if (size.formula.empty()) return {{"as_int", size.value}};
  Json hint = size.value < 0 ? Json(nullptr) : Json{{"as_int", size.value}};
  return {{"as_expr", {{"expr_str", size.formula}, {"hint", hint}}}};
}

Size operator*(const Size& a, const Size& b) {
  if (a.formula.empty() && a.value == 1) return b;
  if (b.formula.empty() && b.value == 1) return a;
  return combined(a, b, are_known(a, b) ? checked_multiply(a.value, b.value) : -1, "Mul");
}

Size operator+(const Size& a, const Size& b) {
  return combined(a, b, are_known(a, b) ? checked_add(a.value, b.value) : -1, "Add");
}

Json write_tensor_meta(const Value& value) {
  std::vector<Size> sizes;
  for (size_t i = 0; i < value.sizes.size(); ++i)
    sizes.push_back({value.sizes[i], i < value.formulas.size() ? value.formulas[i] : ""});
  return meta(value.dtype, sizes, contiguous_strides(sizes), false);
}

Json write_tensor_meta(const at::Tensor& tensor) {
  std::vector<Size> sizes, strides;
  for (const auto size : tensor.sizes()) sizes.push_back({size});
  for (const auto stride : tensor.strides()) strides.push_back({stride});
  return meta(tensor.scalar_type(), sizes, strides, tensor.requires_grad());
}

Json write_metadata(const Call& call, const std::map<std::string, std::string>& types) {
  const auto root = types.find("");
  std::string stack =
      "L__self__,," + (root == types.end() ? "torch.nn.modules.module.Module" : stack_part(root->second));
  const auto add = [&](const std::string& module, const std::string& type) {
    stack += fmt::format(";L__self__{0},{0},{1}", stack_part(module), stack_part(type));
  };
  for (auto dot = call.module.find('.'); dot != std::string::npos; dot = call.module.find('.', dot + 1)) {
    const auto found = types.find(call.module.substr(0, dot));
    if (found != types.end()) add(found->first, found->second);
  }
  if (!call.module.empty())
    add(call.module, call.module_type.empty() ? "torch.nn.modules.module.Module" : call.module_type);
  return {{"nn_module_stack", stack}};
}

}  // namespace inn::pt2
