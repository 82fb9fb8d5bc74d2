// Tensors made of nothing but sizes; those of known sizes are constants already.

#include <ATen/ATen.h>

#include "../rules.h"

namespace inn::onnx {
namespace {

/// Filled with a number, of sizes that are computed.
Rule filled(const std::string& sizes, std::optional<double> value) {
  return [=](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto type = call.result().dtype;
    const at::Scalar number = value ? at::Scalar(*value) : call.scalar("fill_value");
    return {e.add("ConstantOfShape", {e.sizes(call.list(sizes))},
                  {{"value", at::full({1}, number, at::TensorOptions(type))}})};
  };
}

/// Filled with a number, of another tensor's sizes.
Rule filled_like(std::optional<double> value) {
  return [=](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto type = call.result().dtype;
    const at::Scalar number = value ? at::Scalar(*value) : call.scalar("fill_value");
    return {e.add("ConstantOfShape", {e.add("Shape", {call.tensor("self")})},
                  {{"value", at::full({1}, number, at::TensorOptions(type))}})};
  };
}

/// A tensor's sizes filled with a number that a call takes as `value`.
std::vector<Name> overwritten(Emitter& e, const CallView& call) {
  const auto type = call.result().dtype;
  return {e.add("Expand", {call.tensor("value", type), e.add("Shape", {call.tensor("self")})})};
}

std::vector<Name> counted(Emitter& e, const CallView& call) {
  const auto type = call.result().dtype;
  const auto limit = [&](const char* name, int64_t missing) {
    if (!call.has(name)) return e.scalar(missing, type);
    const auto& given = call.argument(name);
    if (given.is_constant()) return e.scalar(call.scalar(name), type);
    return cast(e, e.add("Squeeze", {e.size(given), e.integers({0})}), at::kLong, type);
  };
  return {e.add("Range", {limit("start", 0), limit("end", 0), limit("step", 1)})};
}

}  // namespace

void add_creation(Rules& rules) {
  rules["aten::zeros"] = rules["aten::new_zeros"] = filled("size", 0);
  rules["aten::ones"] = rules["aten::new_ones"] = filled("size", 1);
  rules["aten::full"] = rules["aten::new_full"] = filled("size", std::nullopt);
  rules["aten::zeros_like"] = filled_like(0);
  rules["aten::empty_like"] = filled_like(0);  // what it holds is not defined
  rules["aten::ones_like"] = filled_like(1);
  rules["aten::full_like"] = filled_like(std::nullopt);
  rules["aten::zero"] = filled_like(0);
  rules["aten::fill.Scalar"] = overwritten;
  rules["aten::arange"] = counted;
}

}  // namespace inn::onnx
