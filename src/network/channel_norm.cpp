#include "inn/network/channel_norm.h"

#include <ATen/ATen.h>

#include "inn/network/batch_norm.h"

namespace inn {
namespace {

// A channel whose norm scales it by less than this fraction of the median scale cannot reach a target behind
// the norm: it is fitted to its own output.
constexpr double kDeadScale = 1e-3;

}  // namespace

at::Tensor ChannelNorm::inverse(const at::Tensor& wanted, const at::Tensor& own) const {
  const auto alive = scale.abs() > kDeadScale * scale.abs().median();
  const auto safe = at::where(alive, scale, at::ones_like(scale));
  return at::where(alive, (wanted - shift) / safe + mean, own);
}

ChannelNorm channel_norm(const Network& network, size_t index) {
  const auto norm = batch_norm_call(network.calls[index]).value();
  const auto tensor = [&](const Argument& argument) {
    return network.state[*network.state_of(argument.value())].tensor.detach().to(at::kDouble);
  };
  const auto mean = tensor(norm.running_mean), deviation = (tensor(norm.running_var) + norm.epsilon).sqrt();
  return {.scale = norm.weight.is_none() ? deviation.reciprocal() : tensor(norm.weight) / deviation,
          .mean = mean,
          .shift = norm.bias.is_none() ? at::zeros_like(mean) : tensor(norm.bias)};
}

}  // namespace inn
