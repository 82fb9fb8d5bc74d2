#pragma once
// Records a network by observing the dispatcher.

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>
#include <ATen/core/operator_name.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// Records the operators that a function calls, at the level of users (`conv2d`) like torch.export, not the
/// operators they call internally. Sizes computed by the function become constants, as in a static export.
///
/// torch::jit::tracer would give `_convolution` for `conv2d`, and sizes read in C++ are numbers for it too.
class Recorder {
 public:
  /// Whether the network's state is copies of the named tensors, or these themselves.
  enum class State { copied, shared };
  explicit Recorder(State state = State::copied) : state_(state) {}

  /// Makes the tensor a named one of the state.
  void add_state(const std::string& name, StateEntry::Kind kind, const at::Tensor& tensor);
  void add_input(const std::string& name, const at::Tensor& tensor);

  /// Runs the function without gradients and returns the recorded network. Outputs are the tensors in the
  /// returned value: one, or those in tuples, lists and dictionaries. Throws std::invalid_argument if a
  /// number is read from a tensor that depends on an input.
  Network record(const std::function<c10::IValue()>& function);

  /// The calls that follow are of this module; "": of the module whose parameter they read.
  void set_module(const std::string& module) { module_ = module; }

  /// While it lives, operators that the function calls are not recorded: they compute constants.
  class Unrecorded {
   public:
    explicit Unrecorded(Recorder& recorder)
        : recorder_(recorder), was_(std::exchange(recorder.paused_, true)) {}
    ~Unrecorded() { recorder_.paused_ = was_; }
    Unrecorded(const Unrecorded&) = delete;
    Unrecorded& operator=(const Unrecorded&) = delete;

   private:
    Recorder& recorder_;
    bool was_;
  };

 private:
  friend struct RecorderCallbacks;
  void begin(const c10::OperatorName& name, c10::ArrayRef<const c10::IValue> inputs);
  void end(std::span<const c10::IValue> outputs);

  Argument argument_of(const c10::IValue& value, bool is_written);
  Argument argument_of(const at::Tensor& tensor, bool is_written);
  ValueId define(const std::string& name, const at::Tensor& tensor, bool depends_on_input);
  bool is_literal(c10::ArrayRef<const c10::IValue> inputs) const;
  ValueId lift(const at::Tensor& tensor);
  void add_results(Call& call, std::span<const c10::IValue> outputs);
  ValueId result_of(const Call& call, const c10::IValue& value);
  std::string fresh_name(const std::string& wanted);
  bool depends(const Call& call) const;
  void add_outputs(const c10::IValue& value);
  void name_modules();

  State state_;
  Network network_;
  std::unordered_map<const c10::TensorImpl*, ValueId> values_;  // the last value that the tensor was
  std::unordered_map<const c10::TensorImpl*, Call> unfilled_;   // made by `empty`, not written yet
  std::unordered_set<const c10::TensorImpl*> literals_;         // torch::tensor({…}) and its parts
  std::vector<at::Tensor> held_;                                // so that no tensor takes another's address
  std::vector<bool> depends_on_input_;                          // by value
  std::unordered_map<std::string, int> name_counts_;
  std::string module_;
  int depth_ = 0;
  bool paused_ = false, started_below_autograd_ = false;
  std::optional<Call> open_;            // the operator that runs now
  std::optional<size_t> open_literal_;  // how many values it returns, where it makes a literal
  bool is_open_empty_ = false;          // whether that literal has no content yet
  std::exception_ptr failure_;
};

/// What is recorded: a function of tensors, and the named tensors that it reads.
struct Recorded {
  struct NamedTensor {
    std::string name;
    StateEntry::Kind kind;
    at::Tensor tensor;
  };
  std::vector<NamedTensor> state;
  std::function<void()> restore = nullptr;  // puts back what a run changes; called before each
  std::function<c10::IValue(const std::vector<c10::IValue>&)> function;
};

/// Returns the network of the function, whose inputs are the tensors in `examples` (tensors, tuples and lists
/// of them) in order, "x", "x_1", ….
///
/// The function runs twice, on the examples and on other values of the same sizes: what differs between the
/// two recordings was made of the input, but not by operators that were recorded (through its data pointer,
/// in another thread). Throws std::invalid_argument naming the call that reads it, or an example that holds
/// something else than tensors.
Network record(const Recorded& recorded, const std::vector<c10::IValue>& examples);

}  // namespace inn
