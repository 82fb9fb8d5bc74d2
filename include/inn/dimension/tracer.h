#pragma once
// The groups of a C++ module.

#include <torch/nn/module.h>

#include <functional>
#include <memory>
#include <type_traits>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// Runs a C++ module once and finds its groups:
///
///     const auto groups = Tracer(module, example_input).build_groups();
///
/// The parameters are copied; the module is not changed.
class Tracer {
 public:
  /// `module` is a torch::nn::Module with a `forward` that takes one tensor and gives one, a holder of such
  /// (torch::nn::Sequential, what TORCH_MODULE makes, a shared pointer), or a torch::nn::AnyModule. Throws as
  /// `trace` does.
  template <class Module>
  Tracer(Module&& module, const at::Tensor& example_input, const RuleTable& rules = RuleTable::standard()) {
    using Plain = std::remove_cvref_t<Module>;
    if constexpr (std::is_base_of_v<torch::nn::Module, Plain>) {
      trace_call(
          module, [&](const at::Tensor& x) -> at::Tensor { return module.forward(x); }, example_input, rules);
    } else if constexpr (requires(Plain any) { any.template forward<at::Tensor>(example_input); }) {
      trace_call(
          *module.ptr(), [&](const at::Tensor& x) { return module.template forward<at::Tensor>(x); },
          example_input, rules);
    } else {
      trace_call(
          *module, [&](const at::Tensor& x) -> at::Tensor { return module->forward(x); }, example_input,
          rules);
    }
  }

  /// Returns the resizable groups, in network order.
  std::vector<Group> build_groups() const;

  /// The recorded network with all its groups, including pinned ones.
  const AnalysedNetwork& source() const { return *source_; }
  /// The same as a shared pointer: Pruner(tracer.shared_source()).
  std::shared_ptr<const AnalysedNetwork> shared_source() const { return source_; }

 private:
  void trace_call(const torch::nn::Module& module, const std::function<at::Tensor(const at::Tensor&)>& call,
                  const at::Tensor& example_input, const RuleTable& rules);

  std::shared_ptr<const AnalysedNetwork> source_;
};

}  // namespace inn
