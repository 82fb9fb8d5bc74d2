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
  /// Its sizes for the example inputs of the source, at the widths that the network has now. Empty for
  /// non-tensors. -1 where the source could not know (how many indices `nonzero` finds).
  std::vector<int64_t> sizes = {};
  /// For each axis the source's own formula where its size was dynamic ("Symbol('s77', …)"), "" where it was
  /// a number.
  std::vector<std::string> formulas = {};
  /// Of an integer: its value in the example, and its formula where it was dynamic.
  int64_t number = 0;
  std::string formula = {};
};

/// One call of an operator. Arguments stand for every place of the schema, in its order, defaults filled in.
struct Call {
  std::string op;        // "aten::conv2d"
  std::string overload;  // "", "Tensor", "using_ints"
  std::vector<Argument> arguments = {};
  /// For every return of the schema the values it makes: one, or as many as the list it returns has.
  struct Result {
    bool is_list = false;
    std::vector<ValueId> values = {};
  };
  std::vector<Result> results = {};
  std::string module = {};       // dotted name of the module that makes the call: "layer1.0.conv1"
  std::string module_type = {};  // its class, as the source wrote it

  /// "aten::conv2d" or "aten::add.Tensor".
  std::string qualified_name() const { return overload.empty() ? op : op + "." + overload; }
};

/// A tensor that the network holds: a parameter, a buffer or a lifted constant.
struct StateEntry {
  std::string name;  // "layer1.0.conv1.weight"
  enum class Kind { parameter, buffer, transient_buffer, constant } kind = Kind::parameter;
  ValueId value;  // the value by which calls read it
  at::Tensor tensor = {};
  std::vector<std::string> aliases = {};  // further names of the same tensor (tied weights)
};

/// A number that sizes depend on. Either it is the size of an axis of a value, found anew in every run (a
/// batch, an image's height), or it is fixed until the network is resampled (a width that stands in no shape
/// by itself).
struct SizeSymbol {
  std::string name;
  int64_t value = 0;  // in the example; for a fixed symbol: now
  struct Source {
    ValueId value;
    int64_t axis;
  };
  std::optional<Source> source = {};
};

/// How Python calls the network: pytree specifications as torch.export writes them, and the names of the
/// arguments.
struct CallSignature {
  std::string in_spec, out_spec;
  std::vector<std::string> argument_names;
  /// An argument that the source was given as a constant (None, 3). The network has no input for it.
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

/// How a network's calls are carried out: the operators found, and when each value is released.
///
/// Made at the first forward and made anew where a fingerprint of the calls says that they have been edited
/// since, so whoever edits `calls` need tell nobody. Constant arguments are no part of it.
class ExecutionPlan;

/// Holds the plan last made. Threads may share a network and run it; copies of a network share the plan.
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

/// A program over named tensors. A value type: copies share tensors (as at::Tensor does), nothing else.
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
  /// Files under extra/ of the archive, kept and written again: name without "extra/", content.
  std::map<std::string, std::string> extra;

  struct ForwardOptions {
    /// The values of the symbols without a source; those of the network where empty.
    std::span<const int64_t> symbol_values = {};
    /// Called with each tensor as it is computed, for inputs too, before anything else reads it. Not for the
    /// state.
    std::function<void(ValueId, const at::Tensor&)> observe = nullptr;
    /// Gives the state tensor of an index just before its first use; it is released after its last. So a
    /// state need not be in memory as a whole. `tensors` is empty then, and symbol_values say all sizes that
    /// follow the state.
    std::function<at::Tensor(size_t)> load = nullptr;
  };

  /// Returns the outputs for `inputs` with `tensors` in place of the state, one for each entry of `state`.
  ///
  /// Every call goes through torch's dispatcher, so autograd, devices and dtypes are torch's own. Pure, but
  /// for what the network itself writes: batch norm's running statistics in training mode, an in-place
  /// operator on an input. A value is released after its last use. Throws std::invalid_argument where the
  /// count of inputs or tensors is wrong; an error inside a call names the call, its module and the shapes it
  /// got, before them an input whose type or sizes are not those of the source.
  std::vector<c10::IValue> forward(const std::vector<c10::IValue>& inputs,
                                   std::span<const at::Tensor> tensors, const ForwardOptions& options) const;
  std::vector<c10::IValue> forward(const std::vector<c10::IValue>& inputs) const;
  /// Returns the one tensor that the network gives for one tensor. Throws where it gives another number of
  /// them.
  at::Tensor forward(const at::Tensor& input) const;

  /// Sets the arguments named training/train of batch norm, dropout and their kin. A batch norm without
  /// running statistics always normalizes by the batch, so its flag stays true.
  void set_training(bool training);

  /// Moves the state, and the dtype and device arguments of calls that make tensors of the old ones.
  void to(c10::ScalarType dtype);
  void to(c10::Device device);
  /// Lays out state tensors of four axes with their channels last, as convolutions on a CPU are fastest; what
  /// they give is laid out so too. Outputs are equal up to rounding, whatever the layout of the inputs.
  /// Throws std::invalid_argument naming the call, and changes nothing, where one can't take that layout (a
  /// `view` that joins axes): the network is run once on zeros.
  void to_channels_last();

  /// Returns a network whose state tensors are copies.
  Network clone() const;
  /// Returns the tensors of the state in order.
  std::vector<at::Tensor> tensors() const;

  /// Returns the index in `state` of the tensor named so (aliases count). Throws std::invalid_argument with
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

/// Resolves `op`.`overload` to its schema: first torch's dispatcher, then TorchScript's registry (integer
/// arithmetic). Throws std::invalid_argument naming the operator where neither has it.
const c10::FunctionSchema& find_schema(const std::string& op, const std::string& overload);

}  // namespace inn
