#include "executor.h"

#include <ATen/ScalarOps.h>
#include <c10/util/Exception.h>
#include <fmt/ranges.h>

#include <map>

#include "inn/core/error.h"

namespace inn {
namespace {

class Fingerprint {
 public:
  void add(uint64_t word) {
    hash_ = (hash_ ^ word) * 0x9E3779B97F4A7C15ull;
    hash_ ^= hash_ >> 29;
  }
  void add(const std::string& text) { add(std::hash<std::string>{}(text)); }
  void add(const Argument& argument) {
    argument.for_each_value([&](const ValueId& value) { add(static_cast<uint64_t>(value)); });
    add(uint64_t{0xA6});
  }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0xCBF29CE484222325ull;
};

Place place_of(const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
      return Place::tensor;
    case c10::TypeKind::FloatType:
      return Place::floating;
    case c10::TypeKind::ListType: {
      const auto element = type->castRaw<c10::ListType>()->getElementType()->kind();
      return element == c10::TypeKind::IntType ? Place::integer_list : Place::list;
    }
    default:
      return Place::as_is;
  }
}

ExecutionPlan::Step make_step(const Call& call) {
  ExecutionPlan::Step step{find_operation(call.op, call.overload), {}, {}};
  const auto& schema = *step.operation.schema;
  require(call.arguments.size() == schema.arguments().size(), "network",
          "Call '{}' in module '{}': the schema has {} arguments but the call has {}.", call.qualified_name(),
          call.module, schema.arguments().size(), call.arguments.size());
  require(call.results.size() == schema.returns().size(), "network",
          "Call '{}' in module '{}': the schema has {} returns but the call has {}.", call.qualified_name(),
          call.module, schema.returns().size(), call.results.size());
  for (const auto& argument : schema.arguments()) {
    const auto type = without_optional(argument.type());
    step.places.push_back(place_of(type));
    const auto* list = type->castRaw<c10::ListType>();
    step.element_types.push_back(list ? list->getElementType() : nullptr);
  }
  return step;
}

std::string shapes_of(const std::vector<c10::IValue>& stack) {
  std::string shapes;
  const auto add = [&](const at::Tensor& tensor) {
    shapes += shapes.empty() ? "" : ", ";
    shapes += tensor.defined() ? fmt::format("{}[{}]", c10::toString(tensor.scalar_type()),
                                             fmt::join(tensor.sizes(), ", "))
                               : "None";
  };
  for (const auto& value : stack) {
    if (value.isTensor()) add(value.toTensor());
    if (value.isTensorList())
      for (const at::Tensor& tensor : value.toTensorVector()) add(tensor);
  }
  return shapes;
}

/// Describes inputs that differ from the source's in type, or in size other than in dynamic axes and the first;
/// "" if none does. For the message of a call that failed.
std::string misfit(const Network& network, const std::vector<c10::IValue>& given) {
  for (size_t i = 0; i < given.size(); ++i) {
    const auto& value = network.values[static_cast<size_t>(network.inputs[i])];
    if (!given[i].isTensor() || value.kind != Value::Kind::tensor) continue;
    const at::Tensor& tensor = given[i].toTensor();
    bool fits = tensor.dim() == static_cast<int64_t>(value.sizes.size()) &&
                tensor.is_floating_point() == c10::isFloatingType(value.dtype);
    std::string sizes;
    for (size_t axis = 0; axis < value.sizes.size(); ++axis) {
      const bool is_free = axis == 0 || (axis < value.formulas.size() && !value.formulas[axis].empty());
      sizes += (axis > 0 ? ", " : "") + (is_free ? "N" : std::to_string(value.sizes[axis]));
      fits = fits && (is_free || tensor.size(static_cast<int64_t>(axis)) == value.sizes[axis]);
    }
    if (!fits)
      return fmt::format("Input '{}' was {}[{}] in the source but is {}[{}] here. ", value.name,
                         c10::toString(value.dtype), sizes, c10::toString(tensor.scalar_type()),
                         fmt::join(tensor.sizes(), ", "));
  }
  return "";
}

int64_t whole_number(const std::string& value, double number) {
  constexpr double kBound = 0x1p63;
  require<std::out_of_range>(number >= -kBound && number < kBound, "network",
                             "Value '{}': {} is no 64 bit number.", value, number);
  return static_cast<int64_t>(number);
}

/// One run: the live values.
class Run {
 public:
  Run(const Network& network, const ExecutionPlan& plan, const Network::ForwardOptions& options,
      const std::vector<c10::IValue>& given)
      : network_(network),
        plan_(plan),
        observe_(options.observe),
        given_(given),
        values_(network.values.size()) {
    for (size_t s = 0; s < network.symbols.size(); ++s)
      symbols_.push_back(options.symbol_values.empty() ? network.symbols[s].value : options.symbol_values[s]);
  }

  void set(ValueId id, c10::IValue value) {
    for (const auto& [symbol, axis] : plan_.symbols_of_value[id]) {
      require(value.isTensor() && axis < value.toTensor().dim(), "network",
              "Value '{}': size symbol '{}' refers to axis {}, which does not exist.",
              network_.values[id].name, network_.symbols[symbol].name, axis);
      symbols_[symbol] = value.toTensor().size(axis);
    }
    values_[id] = std::move(value);
  }

  void set_computed(ValueId id, c10::IValue value) {
    // TorchScript's pow.int_to_int declares an integer result and returns a double.
    if (value.isDouble() && network_.values[id].kind == Value::Kind::integer)
      value = whole_number(network_.values[id].name, value.toDouble());
    set(id, std::move(value));
    if (observe_ && values_[id].isTensor() && values_[id].toTensor().defined())
      observe_(id, values_[id].toTensor());
  }

  void call(size_t index) {
    const auto& call = network_.calls[index];
    const auto& step = plan_.steps[index];
    auto stack = arguments(call, step);
    try {
      step.operation.run(stack);
    } catch (const c10::Error& error) {
      fail(call, step, error.what_without_backtrace());
    } catch (const std::logic_error& error) {
      fail(call, step, error.what());
    } catch (const std::runtime_error& error) {
      fail(call, step, error.what());
    }  // others pass as they are: exceptions of Python, which steer torch.utils.checkpoint
    for (size_t r = 0; r < call.results.size(); ++r) keep(call, call.results[r], std::move(stack[r]));
    release(plan_.liveness.released[index]);
  }

  void release(const std::vector<ValueId>& released) {
    for (const auto id : released) values_[id] = c10::IValue();
  }

  std::vector<c10::IValue> outputs() const {
    std::vector<c10::IValue> outputs;
    for (const auto& output : network_.outputs) outputs.push_back(convert(output, Place::as_is, nullptr));
    return outputs;
  }

 private:
  std::vector<c10::IValue> arguments(const Call& call, const ExecutionPlan::Step& step) const {
    std::vector<c10::IValue> arguments;
    arguments.reserve(call.arguments.size());
    for (size_t i = 0; i < call.arguments.size(); ++i)
      arguments.push_back(convert(call.arguments[i], step.places[i], step.element_types[i]));
    return arguments;
  }

  /// The operator has popped its arguments from the stack, so they are computed again for their shapes.
  [[noreturn]] void fail(const Call& call, const ExecutionPlan::Step& step, std::string_view what) const {
    const auto shapes = shapes_of(arguments(call, step));
    raise<std::runtime_error>("network", "{}Call '{}' in module '{}' on {}: {}", misfit(network_, given_),
                              call.qualified_name(), call.module, shapes.empty() ? "no tensors" : shapes,
                              what);
  }

  void keep(const Call& call, const Call::Result& result, c10::IValue value) {
    if (!result.is_list) return set_computed(result.values[0], std::move(value));
    const auto list = value.toListRef();
    require<std::runtime_error>(list.size() == result.values.size(), "network",
                                "Call '{}' in module '{}': expected {} results but got {}.",
                                call.qualified_name(), call.module, result.values.size(), list.size());
    for (size_t i = 0; i < list.size(); ++i) set_computed(result.values[i], list[i]);
  }

  c10::IValue convert(const Argument& argument, Place place, const c10::TypePtr& element) const {
    if (argument.is_list()) {
      const auto element_place = element ? place_of(without_optional(element)) : Place::as_is;
      c10::impl::GenericList list(element ? element : c10::AnyType::get());
      list.reserve(argument.list().size());
      for (const auto& item : argument.list()) list.push_back(convert(item, element_place, nullptr));
      return list;
    }
    c10::IValue value = argument.is_constant() ? argument.constant()
                        : argument.is_value()  ? values_[argument.value()]
                                               : c10::IValue(argument.size().evaluate(symbols_));
    if (place == Place::tensor && (value.isScalar() || value.isBool()))
      return at::native::wrapped_scalar_tensor(value.toScalar());
    if (place == Place::floating && value.isInt()) return static_cast<double>(value.toInt());
    if (place == Place::integer_list && value.isInt()) return std::vector<int64_t>{value.toInt()};
    return value;
  }

  const Network& network_;
  const ExecutionPlan& plan_;
  const std::function<void(ValueId, const at::Tensor&)>& observe_;
  const std::vector<c10::IValue>& given_;
  std::vector<c10::IValue> values_;
  std::vector<int64_t> symbols_;
};

}  // namespace

ExecutionPlan::ExecutionPlan(const Network& network)
    : made_for(fingerprint(network)),
      liveness(liveness_of(network)),
      symbols_of_value(network.values.size()) {
  for (size_t s = 0; s < network.symbols.size(); ++s) {
    if (const auto& source = network.symbols[s].source)
      symbols_of_value.at(source->value).emplace_back(static_cast<SymbolId>(s), source->axis);
  }
  steps.reserve(network.calls.size());
  for (const auto& call : network.calls) steps.push_back(make_step(call));
}

uint64_t ExecutionPlan::fingerprint(const Network& network) {
  Fingerprint print;
  print.add(network.values.size());
  for (const auto input : network.inputs) print.add(static_cast<uint64_t>(input));
  for (const auto& output : network.outputs) print.add(output);
  for (const auto& call : network.calls) {
    print.add(call.op);
    print.add(call.overload);
    print.add(call.arguments.size());
    for (const auto& argument : call.arguments) print.add(argument);
    for (const auto& result : call.results) {
      print.add(result.values.size() * 2 + (result.is_list ? 1 : 0));
      for (const auto value : result.values) print.add(static_cast<uint64_t>(value));
    }
  }
  for (const auto& symbol : network.symbols) {
    print.add(symbol.source ? static_cast<uint64_t>(symbol.source->value) : ~uint64_t{0});
    print.add(symbol.source ? static_cast<uint64_t>(symbol.source->axis) : ~uint64_t{0});
  }
  return print.value();
}

std::vector<c10::IValue> Network::forward(const std::vector<c10::IValue>& given,
                                          std::span<const at::Tensor> tensors,
                                          const ForwardOptions& options) const {
  require(given.size() == inputs.size(), "network", "forward: the network has {} inputs but got {}.",
          inputs.size(), given.size());
  require(tensors.size() == (options.load ? 0 : state.size()), "network",
          "forward: the state has {} tensors but got {}.", options.load ? 0 : state.size(), tensors.size());
  require(options.symbol_values.empty() || options.symbol_values.size() == symbols.size(), "network",
          "forward: there are {} size symbols but got {} values.", symbols.size(),
          options.symbol_values.size());
  auto plan = plan_.load();
  if (!plan || plan->made_for != ExecutionPlan::fingerprint(*this)) {
    plan = std::make_shared<const ExecutionPlan>(*this);
    plan_.store(plan);
  }
  Run run(*this, *plan, options, given);
  std::map<ValueId, size_t> unloaded;
  for (size_t i = 0; i < state.size(); ++i) {
    if (options.load)
      unloaded.emplace(state[i].value, i);
    else
      run.set(state[i].value, tensors[i]);
  }
  const auto load = [&](ValueId id) {
    if (const auto found = unloaded.extract(id)) run.set(id, options.load(found.mapped()));
  };
  for (size_t i = 0; i < inputs.size(); ++i) run.set_computed(inputs[i], given[i]);
  run.release(plan->liveness.unread);
  for (size_t i = 0; i < calls.size(); ++i) {
    if (!unloaded.empty())
      for (const auto& argument : calls[i].arguments) argument.for_each_value(load);
    run.call(i);
  }
  for (const auto& output : outputs) output.for_each_value(load);
  return run.outputs();
}

std::vector<c10::IValue> Network::forward(const std::vector<c10::IValue>& given) const {
  const auto held = tensors();
  return forward(given, held, {});
}

at::Tensor Network::forward(const at::Tensor& input) const {
  const auto results = forward(std::vector<c10::IValue>{input});
  require(results.size() == 1 && results[0].isTensor(), "network",
          "forward: the network must return one tensor but returns {} outputs.", results.size());
  return results[0].toTensor();
}

}  // namespace inn
