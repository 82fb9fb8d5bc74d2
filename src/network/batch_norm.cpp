#include "inn/network/batch_norm.h"

#include <ATen/core/function_schema.h>

#include <algorithm>

#include "inn/core/error.h"

namespace inn {
namespace {

/// An operator, and the statistics it normalizes by if it has no training flag.
struct Operator {
  const char* op;
  bool uses_batch;
};

// Argument names are the same in all schemas except those of two backends.
constexpr Operator kOperators[] = {
    {"aten::batch_norm", true},
    {"aten::native_batch_norm", true},
    {"aten::_native_batch_norm_legit", true},
    {"aten::_native_batch_norm_legit_functional", true},
    {"aten::_native_batch_norm_legit_no_training", false},
    {"aten::_batch_norm_impl_index", true},
    {"aten::_batch_norm_with_update", true},
    {"aten::_batch_norm_with_update_functional", true},
    {"aten::_batch_norm_no_update", false},
    {"aten::cudnn_batch_norm", true},
    {"aten::miopen_batch_norm", true},
};

const Operator* find_operator(const Call& call) {
  const auto found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                  [&](const Operator& entry) { return call.op == entry.op; });
  return found == std::end(kOperators) ? nullptr : found;
}

}  // namespace

const std::vector<std::string>& batch_norm_operators() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& entry : kOperators) all.emplace_back(entry.op);
    return all;
  }();
  return names;
}

bool is_batch_norm(const Call& call) { return find_operator(call) != nullptr; }

std::optional<BatchNormCall> batch_norm_call(const Call& call) {
  const auto* entry = find_operator(call);
  if (entry == nullptr) return std::nullopt;
  const auto& schema = find_schema(call.op, call.overload);
  const auto argument = [&](const char* name) -> const Argument* {
    const auto place = schema.argumentIndexWithName(name);
    return place ? &call.arguments.at(static_cast<size_t>(*place)) : nullptr;
  };
  const auto tensor = [&](const char* name) {
    const auto* found = argument(name);
    return found == nullptr ? Argument() : *found;
  };
  const auto* training = argument("training");
  const auto* epsilon = argument("eps");
  if (epsilon == nullptr) epsilon = argument("epsilon");
  BatchNormCall norm{.input = tensor("input"),
                     .weight = tensor("weight"),
                     .bias = tensor("bias"),
                     .running_mean = tensor("running_mean"),
                     .running_var = tensor("running_var"),
                     .uses_batch = entry->uses_batch,
                     .follows_mode = training != nullptr && tensor("running_mean").is_value(),
                     .epsilon = epsilon->constant().toDouble()};
  if (training != nullptr) norm.uses_batch = !training->is_constant() || training->constant().toBool();
  return norm;
}

Call batch_norm_in_training(const Call& call, ValueId mean, ValueId variance) {
  const auto norm = batch_norm_call(call);
  require(norm.has_value(), "network", "Call '{}': must be a batch norm.", call.qualified_name());
  constexpr double kMomentum = 1;  // the running statistics become the batch's
  constexpr bool kTraining = true, kCudnn = true;
  Call written = call;
  written.op = "aten::batch_norm";
  written.overload = "";
  written.arguments = {norm->input,
                       norm->weight,
                       norm->bias,
                       Argument(ValueRef{mean}),
                       Argument(ValueRef{variance}),
                       Argument(c10::IValue(kTraining)),
                       Argument(c10::IValue(kMomentum)),
                       Argument(c10::IValue(norm->epsilon)),
                       Argument(c10::IValue(kCudnn))};
  written.results.resize(1);
  return written;
}

}  // namespace inn
