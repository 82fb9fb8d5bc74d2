#include "statistics.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "inn/network/batch_norm.h"
#include "inn/network/value_uses.h"

namespace inn {
namespace {

std::optional<size_t> state_of(const ValueUses& uses, const Argument& argument) {
  return argument.is_value() ? uses.state_of(argument.value()) : std::nullopt;
}

}  // namespace

void differentiate_statistics(const Network& network, std::vector<at::Tensor>& tensors) {
  const auto learns = [&](std::optional<size_t> state) { return state && tensors[*state].requires_grad(); };
  if (std::none_of(tensors.begin(), tensors.end(),
                   [](const auto& t) { return t.requires_grad() && !t.is_leaf(); }))
    return;
  const ValueUses uses(network);
  for (const auto& call : network.calls) {
    const auto norm = batch_norm_call(call);
    if (!norm) continue;
    const auto mean = state_of(uses, norm->running_mean), variance = state_of(uses, norm->running_var);
    if (!learns(mean) && !learns(variance)) continue;
    const auto weight = state_of(uses, norm->weight), bias = state_of(uses, norm->bias);
    bool own = weight && bias && !norm->uses_batch;
    for (const auto& state : {mean, variance, weight, bias})
      own = own && state && uses.readers(network.state[*state].value).size() == 1;
    if (own) {
      const auto scale = tensors[*weight] * (tensors[*variance] + norm->epsilon).rsqrt();
      tensors[*bias] = tensors[*bias] - tensors[*mean] * scale;
      tensors[*weight] = scale * std::sqrt(1 + norm->epsilon);
      tensors[*mean] = at::zeros_like(tensors[*mean]);
      tensors[*variance] = at::ones_like(tensors[*variance]);
    } else {
      for (const auto& state : {mean, variance})
        if (learns(state)) tensors[*state] = tensors[*state].detach();
    }
  }
}

}  // namespace inn
