#pragma once
// Recognizes batch norms, whichever operator they use.
//
// Users call aten::batch_norm. Decompositions, functional traces and backends call other operators, with
// other arguments, e.g. run_decompositions() writes aten::_native_batch_norm_legit_no_training.

#include <optional>
#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// A call that normalizes each channel over batch and positions, by any operator.
struct BatchNormCall {
  Argument input, weight, bias;        // weight and bias are None if absent
  Argument running_mean, running_var;  // None if absent
  /// Whether it normalizes by the statistics of the batch rather than the running ones.
  bool uses_batch;
  /// Whether Network::set_training changes that.
  bool follows_mode;
  double epsilon;

  /// Whether it has running statistics.
  bool has_running_statistics() const { return running_mean.is_value() && running_var.is_value(); }
};

/// Returns the operators that are batch norms: "aten::batch_norm" and similar operators.
const std::vector<std::string>& batch_norm_operators();

bool is_batch_norm(const Call& call);

/// Returns the call as a batch norm with its current training flag, or nothing if it is not one.
std::optional<BatchNormCall> batch_norm_call(const Call& call);

/// Returns aten::batch_norm of the same input, weight, bias and epsilon in training mode, which normalizes by
/// the batch and writes the batch's mean and unbiased variance to `mean` and `variance`. It has only the
/// first result of the call; the others (saved statistics) must be unused.
Call batch_norm_in_training(const Call& call, ValueId mean, ValueId variance);

}  // namespace inn
