#pragma once
// Which calls are batch norms, and where their arguments stand.
//
// Users call aten::batch_norm. Decompositions, functional traces and backends call other operators, with
// other arguments: run_decompositions() writes aten::_native_batch_norm_legit_no_training.

#include <optional>
#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// A call that normalizes each channel over batch and positions, whichever operator it is of.
struct BatchNormCall {
  Argument input, weight, bias;        // weight and bias are None where it has none
  Argument running_mean, running_var;  // None where it has none
  /// Whether it normalizes by the mean and variance of the batch, not by the running ones.
  bool uses_batch;
  /// Whether Network::set_training changes that.
  bool follows_mode;
  double epsilon;

  /// The running statistics are there, as values.
  bool has_running_statistics() const { return running_mean.is_value() && running_var.is_value(); }
};

/// Returns the operators that are batch norms: "aten::batch_norm" and its kin.
const std::vector<std::string>& batch_norm_operators();

bool is_batch_norm(const Call& call);

/// Returns the call as a batch norm, with the training flag that it has now; nothing where it is none.
std::optional<BatchNormCall> batch_norm_call(const Call& call);

/// Returns aten::batch_norm of the same input, weight, bias and epsilon in training mode, which normalizes by
/// the batch and puts the batch's mean and its unbiased variance into `mean` and `variance`. Its one result
/// is the first of the call's: the others (saved statistics) must have no reader.
Call batch_norm_in_training(const Call& call, ValueId mean, ValueId variance);

}  // namespace inn
