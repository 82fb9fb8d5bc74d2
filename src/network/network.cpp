#include "inn/network/network.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "inn/core/error.h"
#include "schema.h"

namespace inn {
namespace {

constexpr std::string_view kTrainingArguments[] = {"training", "train", "use_input_stats"};

bool is_training_argument(const std::string& name) {
  return std::find(std::begin(kTrainingArguments), std::end(kTrainingArguments), name) !=
         std::end(kTrainingArguments);
}

/// Says whether the call normalizes and holds no statistics to do it with: then it takes the batch's, always.
bool needs_batch_statistics(const Call& call, const c10::FunctionSchema& schema) {
  const auto place = schema.argumentIndexWithName("running_mean");
  return place && call.arguments[*place].is_none();
}

/// Calls `change` for every constant of the argument, those in lists included.
template <class Change>
void for_each_constant(Argument& argument, const Change& change) {
  if (argument.is_list()) {
    for (auto& item : argument.list()) for_each_constant(item, change);
  } else if (argument.is_constant()) {
    change(std::get<c10::IValue>(argument.content));
  }
}

/// Calls `change` for every constant that stands where a schema wants a value of the type.
template <class Change>
void for_each_constant_of(std::vector<Call>& calls, c10::TypeKind kind, const Change& change) {
  for (auto& call : calls) {
    const auto& schema = find_schema(call.op, call.overload);
    for (size_t i = 0; i < call.arguments.size(); ++i)
      if (without_optional(schema.arguments()[i].real_type())->kind() == kind)
        for_each_constant(call.arguments[i], change);
  }
}

/// Calls `change` for every missing argument of the type in calls that make a tensor of none.
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

/// Complex numbers of two halves, two floats or two doubles; there are none of bfloat16.
bool has_complex(c10::ScalarType dtype) {
  return dtype == at::kHalf || dtype == at::kFloat || dtype == at::kDouble;
}

/// Returns a tensor moved by `move` that is a leaf as the old one was.
template <class Move>
at::Tensor moved(const at::Tensor& tensor, const Move& move) {
  at::NoGradGuard no_grad;
  return move(tensor.detach()).set_requires_grad(tensor.requires_grad());
}

}  // namespace

void Network::set_training(bool training) {
  for (auto& call : calls) {
    const auto& schema = find_schema(call.op, call.overload);
    for (size_t i = 0; i < call.arguments.size(); ++i) {
      if (!is_training_argument(schema.arguments()[i].name())) continue;
      if (call.arguments[i].is_constant() && !needs_batch_statistics(call, schema))
        call.arguments[i] = c10::IValue(training);
    }
  }
}

void Network::to(c10::ScalarType dtype) {
  require(c10::isFloatingType(dtype), "network", "to: a floating dtype is wanted but got {}.",
          c10::toString(dtype));
  const auto first = std::find_if(state.begin(), state.end(),
                                  [](const StateEntry& entry) { return entry.tensor.is_floating_point(); });
  const auto old = first == state.end() ? c10::ScalarType::Float : first->tensor.scalar_type();
  // What a dtype of the network becomes: of the same precision, real or complex as it was.
  const auto becomes = [&](c10::ScalarType own) {
    if (own == old) return dtype;
    const bool is_pair = has_complex(old) && own == c10::toComplexType(old);
    return is_pair && has_complex(dtype) ? c10::toComplexType(dtype) : own;
  };
  for_each_factory_default(calls, c10::TypeKind::ScalarTypeType, [&](const Call& call, Argument& argument) {
    if (values[call.results[0].values[0]].dtype == old) argument = c10::IValue(static_cast<int64_t>(dtype));
  });
  for (auto& value : values)
    if (value.kind == Value::Kind::tensor) value.dtype = becomes(value.dtype);
  for (auto& entry : state) {
    const auto now = becomes(entry.tensor.scalar_type());
    if (now == entry.tensor.scalar_type()) continue;
    entry.tensor = moved(entry.tensor, [&](const at::Tensor& tensor) { return tensor.to(now); });
  }
  for_each_constant_of(calls, c10::TypeKind::ScalarTypeType, [&](c10::IValue& constant) {
    if (constant.isInt())
      constant = static_cast<int64_t>(becomes(static_cast<c10::ScalarType>(constant.toInt())));
  });
}

void Network::to(c10::Device device) {
  const auto old = state.empty() ? c10::Device(c10::kCPU) : state.front().tensor.device();
  for (auto& entry : state)
    entry.tensor = moved(entry.tensor, [&](const at::Tensor& tensor) { return tensor.to(device); });
  for_each_factory_default(calls, c10::TypeKind::DeviceObjType,
                           [&](const Call&, Argument& argument) { argument = c10::IValue(device); });
  for_each_constant_of(calls, c10::TypeKind::DeviceObjType, [&](c10::IValue& constant) {
    if (constant.isDevice() && constant.toDevice().type() == old.type()) constant = device;
  });
}

void Network::to_channels_last() {
  std::vector<at::Tensor> laid_out = tensors();
  for (auto& tensor : laid_out)
    if (tensor.dim() == 4)
      tensor =
          moved(tensor, [](const at::Tensor& t) { return t.contiguous(at::MemoryFormat::ChannelsLast); });
  const auto device = state.empty() ? c10::Device(c10::kCPU) : state.front().tensor.device();
  std::vector<c10::IValue> zeros;
  for (const auto input : inputs) {
    const auto& value = values[static_cast<size_t>(input)];
    require(value.kind == Value::Kind::tensor, "network", "to_channels_last: input '{}' is no tensor.",
            value.name);
    zeros.emplace_back(at::zeros(value.sizes, at::TensorOptions(value.dtype).device(device)));
  }
  try {
    const at::NoGradGuard no_grad;
    Network trial = *this;
    trial.set_training(false);
    trial.forward(zeros, laid_out, {});
  } catch (const std::runtime_error& error) {
    raise("network", "The network can't have its channels last: {}", error.what());
  }
  for (size_t s = 0; s < state.size(); ++s) state[s].tensor = laid_out[s];
}

Network Network::clone() const {
  Network copy = *this;
  for (auto& entry : copy.state)
    entry.tensor = moved(entry.tensor, [](const at::Tensor& tensor) { return tensor.clone(); });
  return copy;
}

std::vector<at::Tensor> Network::tensors() const {
  std::vector<at::Tensor> tensors;
  tensors.reserve(state.size());
  for (const auto& entry : state) tensors.push_back(entry.tensor);
  return tensors;
}

size_t Network::find_state(const std::string& name) const {
  std::vector<std::string> names;
  for (size_t i = 0; i < state.size(); ++i) {
    const auto& aliases = state[i].aliases;
    if (state[i].name == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end()) return i;
    names.push_back(state[i].name);
    names.insert(names.end(), aliases.begin(), aliases.end());
  }
  raise("network", "The state has no tensor '{}'.{}", name, nearest_names(name, names));
}

std::optional<size_t> Network::state_of(ValueId value) const {
  for (size_t i = 0; i < state.size(); ++i)
    if (state[i].value == value) return i;
  return std::nullopt;
}

ValueId Network::add_value(Value value) {
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size() - 1);
}

}  // namespace inn
