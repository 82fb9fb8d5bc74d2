#include "inn/network/channel_norm.h"

#include <ATen/ATen.h>

namespace inn {
namespace {

// A channel whose norm scales it by less than this part of the median scale can't reach a target behind the
// norm: it is fit to its own output.
constexpr double kDeadScale = 1e-3;

}  // namespace

at::Tensor ChannelNorm::inverse(const at::Tensor& wanted, const at::Tensor& own) const {
  const auto alive = scale.abs() > kDeadScale * scale.abs().median();
  const auto safe = at::where(alive, scale, at::ones_like(scale));
  return at::where(alive, (wanted - shift) / safe + mean, own);
}

ChannelNorm channel_norm(const Network& network, size_t index) {
  const auto& call = network.calls[index];
  const auto tensor = [&](size_t place) {
    return network.state[*network.state_of(call.arguments[place].value())].tensor.detach().to(at::kDouble);
  };
  const bool trains = call.op == "aten::batch_norm";  // the other operator has no such flag
  const double epsilon = call.arguments.at(trains ? 7 : 6).constant().toDouble();
  const auto mean = tensor(3), deviation = (tensor(4) + epsilon).sqrt();
  return {.scale = call.arguments[1].is_none() ? deviation.reciprocal() : tensor(1) / deviation,
          .mean = mean,
          .shift = call.arguments[2].is_none() ? at::zeros_like(mean) : tensor(2)};
}
}  // namespace inn
