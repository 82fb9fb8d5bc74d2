#include "recorder.h"

#include <ATen/ATen.h>
#include <ATen/core/function_schema.h>
#include <ATen/core/grad_mode.h>
#include <ATen/record_function.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <set>

#include "inn/core/error.h"
#include "recompose_ops.h"

namespace inn {
namespace {

thread_local Recorder* active = nullptr;

// Operators whose result is uninitialized.
const std::set<std::string> kEmpty = {"aten::empty", "aten::empty_like", "aten::empty_strided",
                                      "aten::new_empty", "aten::new_empty_strided"};
// Operators that return numbers a program can branch on.
const std::set<std::string> kReadsNumber = {"aten::item", "aten::_local_scalar_dense", "aten::is_nonzero",
                                            "aten::equal", "aten::allclose"};

/// Whether this thread is below autograd: torch::tensor({…}) allocates its memory there, then fills it.
bool is_below_autograd() {
  return c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutogradFunctionality);
}

class Restored {
 public:
  explicit Restored(bool& flag) : flag_(flag), was_(flag) { flag_ = true; }
  ~Restored() { flag_ = was_; }

 private:
  bool& flag_;
  bool was_;
};

/// Initializes new memory, so that two runs of a program that leaves some of it unwritten are equal.
void clear(const at::Tensor& unwritten) { at::Tensor(unwritten).zero_(); }

c10::IValue number_in(const at::Tensor& tensor) {
  const auto scalar = tensor.item();
  if (scalar.isBoolean()) return scalar.toBool();
  if (scalar.isIntegral(false)) return scalar.toLong();
  return scalar.toDouble();
}

}  // namespace

struct RecorderCallbacks {
  static std::unique_ptr<at::ObserverContext> start(const at::RecordFunction& function) {
    const auto name = function.operator_name();
    if (!name || !active || active->paused_) return nullptr;
    if (++active->depth_ == 1) active->begin(*name, function.inputs());
    return nullptr;
  }

  static void end(const at::RecordFunction& function, at::ObserverContext*) {
    if (function.operator_name() && active && !active->paused_ && --active->depth_ == 0)
      active->end(function.outputs());
  }
};

void Recorder::add_state(const std::string& name, StateEntry::Kind kind, const at::Tensor& tensor) {
  if (const auto found = values_.find(tensor.unsafeGetTensorImpl()); found != values_.end()) {
    network_.state[*network_.state_of(found->second)].aliases.push_back(name);
    return;
  }
  const Restored pause(paused_);  // a state tensor may be added while the function runs
  auto held = tensor.detach();
  if (state_ == State::copied) held = held.clone();
  held.set_requires_grad(tensor.requires_grad());
  network_.state.push_back({name, kind, define(name, tensor, false), held, {}});
}

void Recorder::add_input(const std::string& name, const at::Tensor& tensor) {
  network_.inputs.push_back(define(name, tensor, true));
}

Network Recorder::record(const std::function<c10::IValue()>& function) {
  at::NoGradGuard no_grad;
  const auto handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(&RecorderCallbacks::start, &RecorderCallbacks::end)
          .needsInputs(true)
          .needsOutputs(true)
          .scopes({at::RecordScope::FUNCTION}));
  const auto previous = std::exchange(active, this);
  started_below_autograd_ = is_below_autograd();
  c10::IValue result;
  try {
    result = function();
  } catch (...) {
    if (!failure_) failure_ = std::current_exception();
  }
  active = previous;
  at::removeCallback(handle);
  if (failure_) std::rethrow_exception(failure_);
  add_outputs(result);
  recompose_ops(network_);
  name_modules();
  network_.validate();
  return std::move(network_);
}

void Recorder::begin(const c10::OperatorName& name, c10::ArrayRef<const c10::IValue> inputs) {
  // Torch swallows exceptions of callbacks, so the first one is stored.
  const Restored pause(paused_);
  try {
    Call call{name.name, name.overload_name};
    call.module = module_;
    const auto& schema = find_schema(call.op, call.overload);
    // TorchScript's interpreter shows its whole stack, with the arguments on top.
    inputs = inputs.slice(inputs.size() - schema.arguments().size());
    if (is_literal(inputs)) {
      open_literal_ = schema.returns().size();
      is_open_empty_ = kEmpty.contains(call.op);
      return;
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto* alias = schema.arguments()[i].alias_info();
      call.arguments.push_back(argument_of(inputs[i], alias && alias->isWrite()));
    }
    open_ = std::move(call);
  } catch (...) {
    if (!failure_) failure_ = std::current_exception();
  }
}

void Recorder::end(std::span<const c10::IValue> outputs) {
  const Restored pause(paused_);
  if (const auto returned = std::exchange(open_literal_, std::nullopt);
      returned && *returned <= outputs.size()) {
    for (const auto& output : outputs.last(*returned)) {
      if (!output.isTensor()) continue;
      held_.push_back(output.toTensor());
      if (is_open_empty_) clear(held_.back());
      literals_.insert(held_.back().unsafeGetTensorImpl());
    }
  }
  if (!open_) return;
  auto call = std::move(*open_);
  open_.reset();
  try {
    const auto returned = find_schema(call.op, call.overload).returns().size();
    if (outputs.size() < returned) return;  // it threw
    outputs = outputs.last(returned);
    if (kReadsNumber.contains(call.op) && depends(call))
      raise("network",
            "Call '{}': the program reads a number from a tensor that depends on its input; data-dependent "
            "computation is not supported.",
            call.qualified_name());
    if (kEmpty.contains(call.op)) {
      held_.push_back(outputs[0].toTensor());
      clear(held_.back());
      unfilled_.insert_or_assign(held_.back().unsafeGetTensorImpl(), std::move(call));
      return;
    }
    add_results(call, outputs);
    network_.calls.push_back(std::move(call));
  } catch (...) {
    if (!failure_) failure_ = std::current_exception();
  }
}

/// A literal tensor of the program is computed from other literals, or from nothing.
bool Recorder::is_literal(c10::ArrayRef<const c10::IValue> inputs) const {
  bool has_tensor = false;
  for (const auto& input : inputs) {
    if (input.isTensorList()) return false;
    if (!input.isTensor()) continue;
    has_tensor = true;
    if (!literals_.contains(input.toTensor().unsafeGetTensorImpl())) return false;
  }
  return has_tensor || (!started_below_autograd_ && is_below_autograd());
}

Argument Recorder::argument_of(const c10::IValue& value, bool is_written) {
  if (value.isTensor()) return argument_of(value.toTensor(), is_written);
  if (value.isSymInt()) return c10::IValue(value.toSymInt().guard_int(__FILE__, __LINE__));
  if (value.isList()) {
    const auto items = value.toListRef();
    const bool plain = std::all_of(items.begin(), items.end(), [](const c10::IValue& item) {
      return !item.isTensor() && !item.isNone() && !item.isSymInt();
    });
    if (plain) return value;
    if (items[0].isSymInt()) {
      std::vector<int64_t> numbers;
      for (const auto& item : items)
        numbers.push_back(item.isSymInt() ? item.toSymInt().guard_int(__FILE__, __LINE__) : item.toInt());
      return c10::IValue(numbers);
    }
    Argument::List list;
    for (const auto& item : items) list.push_back(argument_of(item, is_written));
    return list;
  }
  const bool is_plain =
      value.isNone() || value.isScalar() || value.isBool() || value.isString() || value.isDevice();
  require(is_plain, "network", "trace does not support arguments of type {}.", value.tagKind());
  return value;
}

Argument Recorder::argument_of(const at::Tensor& tensor, bool is_written) {
  if (!tensor.defined()) return Argument();
  const auto* identity = tensor.unsafeGetTensorImpl();
  if (const auto found = values_.find(identity); found != values_.end()) return ValueRef{found->second};
  if (const auto found = unfilled_.find(identity); found != unfilled_.end() && is_written) {
    auto call = std::move(found->second);
    unfilled_.erase(found);
    const c10::IValue result(tensor);
    add_results(call, std::span(&result, 1));
    network_.calls.push_back(std::move(call));
    return ValueRef{values_.at(identity)};
  }
  if (identity->is_wrapped_number()) return number_in(tensor);
  return ValueRef{lift(tensor)};
}

ValueId Recorder::lift(const at::Tensor& tensor) {
  const auto name = fresh_name("lifted_tensor");
  const auto id = define(name, tensor, false);
  network_.state.push_back({name, StateEntry::Kind::constant, id, tensor.detach().clone(), {}});
  return id;
}

ValueId Recorder::define(const std::string& name, const at::Tensor& tensor, bool depends_on_input) {
  Value value{.name = name, .dtype = tensor.scalar_type(), .sizes = tensor.sizes().vec()};
  value.formulas.resize(value.sizes.size());
  const auto id = network_.add_value(std::move(value));
  depends_on_input_.push_back(depends_on_input);
  held_.push_back(tensor);
  values_[tensor.unsafeGetTensorImpl()] = id;
  return id;
}

void Recorder::add_results(Call& call, std::span<const c10::IValue> outputs) {
  for (const auto& output : outputs) {
    Call::Result result;
    result.is_list = output.isList();
    if (result.is_list) {
      for (const auto& item : output.toListRef()) result.values.push_back(result_of(call, item));
    } else {
      result.values.push_back(result_of(call, output));
    }
    call.results.push_back(std::move(result));
  }
}

ValueId Recorder::result_of(const Call& call, const c10::IValue& value) {
  if (value.isTensor() && value.toTensor().defined())
    return define(fresh_name(call.op.substr(call.op.find("::") + 2)), value.toTensor(), depends(call));
  depends_on_input_.push_back(depends(call));
  if (value.isInt())
    return network_.add_value({.name = fresh_name("number"),
                               .kind = Value::Kind::integer,
                               .dtype = c10::ScalarType::Long,
                               .number = value.toInt()});
  const auto dtype = value.isBool() ? c10::ScalarType::Bool : c10::ScalarType::Double;
  return network_.add_value(
      {.name = value.isTensor() ? "" : fresh_name("number"), .kind = Value::Kind::other, .dtype = dtype});
}

bool Recorder::depends(const Call& call) const {
  bool result = false;
  for (const auto& argument : call.arguments)
    argument.for_each_value([&](const ValueId& value) { result |= depends_on_input_[value]; });
  return result;
}

std::string Recorder::fresh_name(const std::string& wanted) {
  const int count = name_counts_[wanted]++;
  return count == 0 ? wanted : fmt::format("{}_{}", wanted, count);
}

void Recorder::add_outputs(const c10::IValue& value) {
  if (value.isTensor()) {
    network_.outputs.push_back(argument_of(value.toTensor(), false));
  } else if (value.isTuple()) {
    for (const auto& item : value.toTupleRef().elements()) add_outputs(item);
  } else if (value.isList()) {
    for (const auto& item : value.toListRef()) add_outputs(item);
  } else if (value.isGenericDict()) {
    for (const auto& item : value.toGenericDict()) add_outputs(item.value());
  } else {
    require(value.isNone() || value.isInt(), "network", "a network cannot have outputs of type {}.",
            value.tagKind());
    network_.outputs.push_back(value);
  }
}

/// A call belongs to the module whose parameter it reads.
void Recorder::name_modules() {
  std::unordered_map<ValueId, const StateEntry*> entries;
  for (const auto& entry : network_.state)
    if (entry.kind != StateEntry::Kind::constant) entries[entry.value] = &entry;
  for (auto& call : network_.calls) {
    for (const auto& argument : call.arguments) {
      argument.for_each_value([&](const ValueId& value) {
        const auto found = entries.find(value);
        if (found == entries.end() || !call.module.empty()) return;
        const auto dot = found->second->name.rfind('.');
        if (dot != std::string::npos) call.module = found->second->name.substr(0, dot);
      });
    }
  }
}

}  // namespace inn
