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
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// Records the operators that a function calls, at the level of users (`conv2d`) like torch.export, not the
/// operators they call internally. Sizes computed by the function become constants, as in a static export.
///
/// torch::jit::tracer would give `_convolution` for `conv2d`, and sizes read in C++ are numbers for it too.
class Recorder {
 public:
  /// Registers a named tensor: its copy becomes part of the state.
  void add_state(const std::string& name, StateEntry::Kind kind, const at::Tensor& tensor);
  void add_input(const std::string& name, const at::Tensor& tensor);

  /// Runs the function without gradients and returns the recorded network. Outputs are the tensors in the
  /// returned value: one, or those in tuples, lists and dictionaries. Throws std::invalid_argument if a
  /// number is read from a tensor that depends on an input.
  Network record(const std::function<c10::IValue()>& function);

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

  Network network_;
  std::unordered_map<const c10::TensorImpl*, ValueId> values_;  // the last value that the tensor was
  std::unordered_map<const c10::TensorImpl*, Call> unfilled_;   // made by `empty`, not written yet
  std::unordered_set<const c10::TensorImpl*> literals_;         // torch::tensor({…}) and its parts
  std::vector<at::Tensor> held_;                                // so that no tensor takes another's address
  std::vector<bool> depends_on_input_;                          // by value
  std::unordered_map<std::string, int> name_counts_;
  int depth_ = 0;
  bool paused_ = false, started_below_autograd_ = false;
  std::optional<Call> open_;            // the operator that runs now
  std::optional<size_t> open_literal_;  // how many values it returns, where it makes a literal
  std::exception_ptr failure_;
};

}  // namespace inn
