#pragma once
// A network as data: a static single assignment list of ATen calls.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inn/network/argument.h"

namespace inn {

/// A named result of a call, an input, or a state tensor.
struct Value {
  std::string name = {};
  enum class Kind { tensor, integer, other } kind = Kind::tensor;
  c10::ScalarType dtype = c10::ScalarType::Float;  // of `other`: Double or Bool
  /// Its sizes for the example inputs, at the current widths. Empty for non-tensors. -1 for data-dependent
  /// sizes (`nonzero`).
  std::vector<int64_t> sizes = {};
  /// For each axis the source's expression if its size was dynamic ("Symbol('s77', …)"), else "".
  std::vector<std::string> formulas = {};
  /// For an integer: its value in the example, and its expression if it was dynamic.
  int64_t number = 0;
  std::string formula = {};
};

/// One call of an operator. Arguments are in the order of the schema, with defaults filled in.
struct Call {
  std::string op;        // "aten::conv2d"
  std::string overload;  // "", "Tensor", "using_ints"
  std::vector<Argument> arguments = {};
  /// For every return of the schema its values: one, or all elements of a returned list.
  struct Result {
    bool is_list = false;
    std::vector<ValueId> values = {};
  };
  std::vector<Result> results = {};
  std::string module = {};       // dotted name of the calling module: "layer1.0.conv1"
  std::string module_type = {};  // its class, as in the source

  /// "aten::conv2d" or "aten::add.Tensor".
  std::string qualified_name() const { return overload.empty() ? op : op + "." + overload; }
};

/// A tensor of the network: a parameter, a buffer or a lifted constant.
struct StateEntry {
  std::string name;  // "layer1.0.conv1.weight"
  enum class Kind { parameter, buffer, transient_buffer, constant } kind = Kind::parameter;
  ValueId value;  // the value by which calls refer to it
  at::Tensor tensor = {};
  std::vector<std::string> aliases = {};  // other names of the same tensor (tied weights)
};

/// A symbol in size expressions: either the size of an axis of a value, determined in every run (batch, image
/// height), or a number that is fixed until the network is resampled (a width that is not the size of any
/// axis by itself).
struct SizeSymbol {
  std::string name;
  int64_t value = 0;  // in the example; for a fixed symbol, its current value
  struct Source {
    ValueId value;
    int64_t axis;
  };
  std::optional<Source> source = {};
};

/// The Python signature: pytree specifications as written by torch.export, and argument names.
struct CallSignature {
  std::string in_spec, out_spec;
  std::vector<std::string> argument_names;
  /// An argument that was constant at export (None, 3). The network has no input for it.
  struct Constant {
    size_t position;  // among all arguments, in the order of in_spec
    std::string name;
    c10::IValue value;
  };
  std::vector<Constant> constants;
};

/// The range of a dynamic size of the source, by its symbol ("s77").
struct SizeRange {
  int64_t minimum = 0;
  std::optional<int64_t> maximum;
};

/// The execution plan: resolved operators, and when each value is released.
///
/// Made at the first forward pass and again if a fingerprint of the calls has changed, so `calls` may be
/// edited freely. Constant arguments are not part of it.
class ExecutionPlan;

/// Caches the last plan. Threads may run a shared network; copies of a network share the plan.
class ExecutionPlanSlot {
 public:
  ExecutionPlanSlot() = default;
  ExecutionPlanSlot(const ExecutionPlanSlot& other) : plan_(other.plan_.load()) {}
  ExecutionPlanSlot& operator=(const ExecutionPlanSlot& other) {
    plan_.store(other.plan_.load());
    return *this;
  }
  std::shared_ptr<const ExecutionPlan> load() const { return plan_.load(); }
  void store(std::shared_ptr<const ExecutionPlan> plan) { plan_.store(std::move(plan)); }

 private:
  std::atomic<std::shared_ptr<const ExecutionPlan>> plan_;
};

/// A program over named tensors. A value type: copies share tensors (as at::Tensor does) and nothing else.
class Network {
 public:
  std::vector<Value> values;
  std::vector<ValueId> inputs;
  std::vector<Argument> outputs;  // values, None or integers
  std::vector<StateEntry> state;
  std::vector<Call> calls;
  std::vector<SizeSymbol> symbols;
  CallSignature signature;
  std::map<std::string, SizeRange> ranges;
  /// Files under extra/ of the archive, preserved when written: name without "extra/", content.
  std::map<std::string, std::string> extra;

  struct ForwardOptions {
    /// Values of the fixed symbols; empty: those of the network.
    std::span<const int64_t> symbol_values = {};
    /// Called with each tensor as it is computed (and with inputs) before it is used. Not called for the
    /// state.
    std::function<void(ValueId, const at::Tensor&)> observe = nullptr;
    /// Provides the state tensor with an index just before its first use; it is released after its last, so
    /// that the whole state need not be in memory. `tensors` is then empty, and symbol_values must determine
    /// all sizes that depend on the state.
    std::function<at::Tensor(size_t)> load = nullptr;
  };

  /// Returns the outputs for `inputs`, with `tensors` instead of the state, one for each entry of `state`.
  ///
  /// Every call goes through torch's dispatcher, so autograd, devices and dtypes are torch's own. No side
  /// effects except those of the network itself: batch norm's running statistics in training mode, in-place
  /// operators on inputs. A value is released after its last use. Throws std::invalid_argument if the number
  /// of inputs or tensors is wrong; an error inside a call names the call, its module and its input shapes,
  /// and inputs whose type or sizes differ from the source.
  std::vector<c10::IValue> forward(const std::vector<c10::IValue>& inputs,
                                   std::span<const at::Tensor> tensors, const ForwardOptions& options) const;
  std::vector<c10::IValue> forward(const std::vector<c10::IValue>& inputs) const;
  /// Runs a network with one input tensor and one output tensor. Throws if the network has another number of
  /// outputs.
  at::Tensor forward(const at::Tensor& input) const;

  /// Sets the arguments that follow the mode (`training_arguments`) to their values of training or evaluation.
  /// Calls that did not follow it in the source keep their own: a frozen batch norm, dropout that is always on.
  void set_training(bool training);

  /// Converts floating and complex state, and the dtypes and devices of tensors that calls create.
  void to(c10::ScalarType dtype);
  void to(c10::Device device);
  /// Stores state tensors with four axes in channels-last memory format, in which convolutions on a CPU are
  /// fastest; activations follow. Outputs are equal up to rounding, whatever the memory format of the inputs.
  /// Runs the network once on zeros; throws std::invalid_argument naming the call, without changes, if a call
  /// does not support that format (a `view` that joins axes).
  void to_channels_last();

  /// Returns a network whose state tensors are copies.
  Network clone() const;
  /// Returns the tensors of the state in order.
  std::vector<at::Tensor> tensors() const;

  /// Returns the index in `state` of the tensor with that name or alias. Throws std::invalid_argument with
  /// the nearest names.
  size_t find_state(const std::string& name) const;
  /// Returns the index in `state` of the entry with that value, or nothing.
  std::optional<size_t> state_of(ValueId value) const;

  ValueId add_value(Value value);

  /// Throws std::invalid_argument unless the network is well formed: every value is defined once and before
  /// its use, every call names a known operator and has its schema's arguments, every state tensor has its
  /// value's sizes.
  void validate() const;

 private:
  mutable ExecutionPlanSlot plan_;
};

/// Resolves `op`.`overload` to its schema: first in torch's dispatcher, then in TorchScript's registry
/// (integer arithmetic). Throws std::invalid_argument naming an unknown operator.
const c10::FunctionSchema& find_schema(const std::string& op, const std::string& overload);

}  // namespace inn
