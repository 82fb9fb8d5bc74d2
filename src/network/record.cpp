#include <ATen/ATen.h>
#include <ATen/core/function_schema.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "inn/core/error.h"
#include "recorder.h"

namespace inn {
namespace {

/// Calls `visit` for each tensor of an example, in order.
void for_each_tensor(const c10::IValue& example, const std::function<void(const at::Tensor&)>& visit) {
  if (example.isTensor()) {
    visit(example.toTensor());
  } else if (example.isTuple()) {
    for (const auto& item : example.toTupleRef().elements()) for_each_tensor(item, visit);
  } else if (example.isList()) {
    for (const auto& item : example.toListRef()) for_each_tensor(item, visit);
  } else {
    raise("network", "An example input must be a tensor, or a tuple or list of tensors, but is a {}.",
          example.tagKind());
  }
}

/// Returns a tensor of other values that are valid for the function too: integers in another order, since they
/// may be indices.
at::Tensor other_values(const at::Tensor& tensor) {
  if (tensor.numel() == 0) return tensor;
  const auto moved = tensor.flatten().roll(1).view(tensor.sizes());
  if (!tensor.is_floating_point() && !tensor.is_complex()) return moved;
  const auto smaller = moved * 0.75;
  return at::equal(smaller, tensor) ? at::full_like(tensor, 0.5) : smaller;
}

c10::IValue other_values(const c10::IValue& example) {
  if (example.isTensor()) return other_values(example.toTensor());
  if (example.isTuple()) {
    std::vector<c10::IValue> items;
    for (const auto& item : example.toTupleRef().elements()) items.push_back(other_values(item));
    return c10::ivalue::Tuple::create(std::move(items));
  }
  c10::impl::GenericList items(example.toList().elementType());
  for (const auto& item : example.toListRef()) items.push_back(other_values(item));
  return items;
}

Network recording_of(const Recorded& recorded, const std::vector<c10::IValue>& examples,
                     Recorder::State state) {
  if (recorded.restore) recorded.restore();
  Recorder recorder(state);
  for (const auto& [name, kind, tensor] : recorded.state) recorder.add_state(name, kind, tensor);
  size_t count = 0;
  for (const auto& example : examples)
    for_each_tensor(example, [&](const at::Tensor& tensor) {
      recorder.add_input(count == 0 ? "x" : fmt::format("x_{}", count), tensor);
      ++count;
    });
  return recorder.record([&] { return recorded.function(examples); });
}

/// Whether both are equal, with NaN equal to itself.
bool are_same(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) return false;
  if (at::equal(a, b)) return true;
  return (a.is_floating_point() || a.is_complex()) &&
         at::eq(a, b).logical_or(a.isnan().logical_and(b.isnan())).all().item<bool>();
}

bool are_same(const Argument& a, const Argument& b) {
  if (a.is_value() && b.is_value()) return a.value() == b.value();
  if (a.is_list() && b.is_list())
    return std::equal(a.list().begin(), a.list().end(), b.list().begin(), b.list().end(),
                      [](const Argument& x, const Argument& y) { return are_same(x, y); });
  if (!a.is_constant() || !b.is_constant()) return false;
  const auto &x = a.constant(), &y = b.constant();
  if (x.isDouble() && y.isDouble() && std::isnan(x.toDouble()) && std::isnan(y.toDouble())) return true;
  return x == y;
}

/// For each value, whether it is a lifted constant that differs between the recordings.
std::vector<bool> differing_constants(const Network& network, const Network& other) {
  std::vector<bool> differ(network.values.size(), false);
  for (size_t s = 0; s < network.state.size() && s < other.state.size(); ++s) {
    const auto& entry = network.state[s];
    if (entry.kind == StateEntry::Kind::constant)
      differ[static_cast<size_t>(entry.value)] = !are_same(entry.tensor, other.state[s].tensor);
  }
  return differ;
}

/// Throws if the recordings of two runs on inputs of equal sizes are different programs.
void require_same_program(const Network& network, const Network& other) {
  constexpr const char* kWhy =
      "depends on the input otherwise than through torch's operators in this thread (its data pointer, "
      "another "
      "thread, a number drawn in C++), which a trace can't hold";
  const auto differ = differing_constants(network, other);
  const auto is_same = [&](const Argument& argument, const Argument& others) {
    bool same = are_same(argument, others);
    argument.for_each_value([&](const ValueId& value) { same &= !differ[static_cast<size_t>(value)]; });
    return same;
  };
  for (size_t c = 0; c < network.calls.size(); ++c) {
    const auto& call = network.calls[c];
    const auto* others = c < other.calls.size() ? &other.calls[c] : nullptr;
    require(others && call.qualified_name() == others->qualified_name(), "network",
            "Call '{}' in module '{}': whether it is made {}.", call.qualified_name(), call.module, kWhy);
    for (size_t i = 0; i < call.arguments.size(); ++i)
      require(is_same(call.arguments[i], others->arguments[i]), "network",
              "Call '{}' in module '{}': its argument '{}' {}.", call.qualified_name(), call.module,
              find_schema(call.op, call.overload).arguments()[i].name(), kWhy);
  }
  require(network.calls.size() == other.calls.size(), "network", "The number of calls {}.", kWhy);
  require(network.outputs.size() == other.outputs.size(), "network", "The number of outputs {}.", kWhy);
  for (size_t i = 0; i < network.outputs.size(); ++i)
    require(is_same(network.outputs[i], other.outputs[i]), "network", "Output {} {}.", i, kWhy);
}

}  // namespace

Network record(const Recorded& recorded, const std::vector<c10::IValue>& examples) {
  at::NoGradGuard no_grad;
  std::vector<c10::IValue> others;
  for (const auto& example : examples) for_each_tensor(example, [](const at::Tensor&) {});
  for (const auto& example : examples) others.push_back(other_values(example));
  auto network = recording_of(recorded, examples, Recorder::State::copied);
  require_same_program(network, recording_of(recorded, others, Recorder::State::shared));
  return network;
}

}  // namespace inn
