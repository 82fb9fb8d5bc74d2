#pragma once
// Calls that are linear in a weight, which least squares can fit.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "inn/network/network.h"
#include "inn/network/value_uses.h"

namespace inn {

/// A call y = W·x + b for each sample and position, with W a state tensor that no other call uses.
///
/// As matrices: [g, rows, features] times [g, features, outputs], with g the number of groups of a
/// convolution (else 1), one row per sample and position, and one feature per input channel of the group and
/// kernel position.
struct LinearCall {
  enum class Kind { linear, convolution, transposed_convolution };
  Kind kind;
  size_t call;  // index in Network::calls
  ValueId input, output;
  size_t weight;  // index in Network::state
  std::optional<size_t> bias;
  bool input_first = false;  // the weight is [in, out, …]

  int64_t output_axis() const { return input_first ? 1 : 0; }
  int64_t input_axis() const { return input_first ? 0 : 1; }
};

/// A call as a linear one; if it has a weight that cannot be fit, the reason; nothing if it has no weight (a
/// product of two activations, a sum, a norm).
using MaybeLinearCall = std::variant<std::monostate, LinearCall, std::string>;

/// Returns the call as a linear one, or the reason why it is not.
///
/// uses: of this network. The overload without it builds one, in time linear in the number of calls.
MaybeLinearCall linear_call(const Network& network, const ValueUses& uses, size_t call);
MaybeLinearCall linear_call(const Network& network, size_t call);

/// Returns `linear_call` of every call, in time linear in their number.
std::vector<MaybeLinearCall> linear_calls(const Network& network);

/// The positions used of each sample: all, or at most `most` random ones by `seed`, the same for every
/// sample.
struct PositionSample {
  int64_t most;
  uint64_t seed;
};

/// Returns the indices of the used positions out of `count`, ascending.
at::Tensor chosen_positions(int64_t count, const PositionSample& positions);

/// Returns the features of the call's input x: [g, samples, positions, features]. `samples` is the size of
/// the batch.
at::Tensor features_of(const Network& network, const LinearCall& linear, const at::Tensor& x, int64_t samples,
                       const PositionSample& positions);

/// Returns the same rows of a tensor with the shape of the call's output: [g, samples, positions, outputs].
at::Tensor targets_of(const Network& network, const LinearCall& linear, const at::Tensor& y, int64_t samples,
                      const PositionSample& positions);

/// Returns the weight (or a tensor of its shape) as matrices [g, outputs, features], a copy; and a tensor of
/// the weight's shape from such matrices.
at::Tensor weight_matrix(const Network& network, const LinearCall& linear);
at::Tensor weight_matrix(const Network& network, const LinearCall& linear, const at::Tensor& weight);
at::Tensor weight_of_matrix(const Network& network, const LinearCall& linear, const at::Tensor& matrix);

}  // namespace inn
