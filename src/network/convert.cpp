// Converts a network to another dtype or device.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "inn/core/error.h"
#include "inn/network/convert_dtype.h"
#include "inn/network/network.h"
#include "leaf.h"
#include "schema.h"

namespace inn {
namespace {

/// Calls `change` for every constant of the argument, including those in lists.
template <class Change>
void for_each_constant(Argument& argument, const Change& change) {
  if (argument.is_list()) {
    for (auto& item : argument.list()) for_each_constant(item, change);
  } else if (argument.is_constant()) {
    change(std::get<c10::IValue>(argument.content));
  }
}

/// Calls `change` for every constant argument of the type in a schema.
template <class Change>
void for_each_constant_of(std::vector<Call>& calls, c10::TypeKind kind, const Change& change) {
  for (auto& call : calls) {
    const auto& schema = find_schema(call.op, call.overload);
    for (size_t i = 0; i < call.arguments.size(); ++i)
      if (without_optional(schema.arguments()[i].real_type())->kind() == kind)
        for_each_constant(call.arguments[i], change);
  }
}

/// Calls `change` for every missing argument of the type in calls that create tensors from none.
template <class Change>
void for_each_factory_default(std::vector<Call>& calls, c10::TypeKind kind, const Change& change) {
  for (auto& call : calls) {
    bool reads_tensor = call.results.size() != 1 || call.results[0].is_list;
    const auto& schema = find_schema(call.op, call.overload);
    for (const auto& place : schema.arguments())
      reads_tensor |= without_optional(place.type())->kind() == c10::TypeKind::TensorType;
    if (reads_tensor) continue;
    for (size_t i = 0; i < call.arguments.size(); ++i)
      if (call.arguments[i].is_none() && without_optional(schema.arguments()[i].real_type())->kind() == kind)
        change(call, call.arguments[i]);
  }
}

}  // namespace

c10::ScalarType converted_dtype(c10::ScalarType of, c10::ScalarType dtype) {
  if (c10::isComplexType(of))
    return dtype == at::kDouble ? at::kComplexDouble
           : dtype == at::kHalf ? at::kComplexHalf
                                : at::kComplexFloat;
  return c10::isFloatingType(of) ? dtype : of;
}

void Network::to(c10::ScalarType dtype) {
  require(c10::isFloatingType(dtype), "network", "to: the dtype must be floating point but got {}.",
          c10::toString(dtype));
  for_each_factory_default(calls, c10::TypeKind::ScalarTypeType, [&](const Call& call, Argument& argument) {
    const auto made = values[call.results[0].values[0]].dtype;
    if (const auto wanted = converted_dtype(made, dtype); wanted != made)
      argument = c10::IValue(static_cast<int64_t>(wanted));
  });
  for_each_constant_of(calls, c10::TypeKind::ScalarTypeType, [&](c10::IValue& constant) {
    if (constant.isInt())
      constant = static_cast<int64_t>(converted_dtype(static_cast<c10::ScalarType>(constant.toInt()), dtype));
  });
  for (auto& value : values)
    if (value.kind == Value::Kind::tensor) value.dtype = converted_dtype(value.dtype, dtype);
  for (auto& entry : state) {
    const auto wanted = converted_dtype(entry.tensor.scalar_type(), dtype);
    if (entry.tensor.scalar_type() == wanted) continue;
    entry.tensor = as_leaf(entry.tensor, [&](const at::Tensor& tensor) { return tensor.to(wanted); });
  }
}

void Network::to(c10::Device device) {
  const auto old = state.empty() ? c10::Device(c10::kCPU) : state.front().tensor.device();
  for (auto& entry : state)
    entry.tensor = as_leaf(entry.tensor, [&](const at::Tensor& tensor) { return tensor.to(device); });
  for_each_factory_default(calls, c10::TypeKind::DeviceObjType,
                           [&](const Call&, Argument& argument) { argument = c10::IValue(device); });
  for_each_constant_of(calls, c10::TypeKind::DeviceObjType, [&](c10::IValue& constant) {
    if (constant.isDevice() && constant.toDevice().type() == old.type()) constant = device;
  });
}

}  // namespace inn
