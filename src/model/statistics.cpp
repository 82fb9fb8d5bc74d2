#include "statistics.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "batch_norm_arguments.h"

namespace inn {
namespace {

using namespace batch_norm;

std::optional<size_t> state_at(const Network& network, const Call& call, Place place) {
  const auto& argument = call.arguments.at(place);
  return argument.is_value() ? network.state_of(argument.value()) : std::nullopt;
}

int64_t count_uses(const Network& network, ValueId value) {
  int64_t count = 0;
  for (const auto& call : network.calls)
    for (const auto& argument : call.arguments)
      argument.for_each_value([&](ValueId id) { count += id == value; });
  return count;
}

}  // namespace

void differentiate_statistics(const Network& network, std::vector<at::Tensor>& tensors) {
  const auto learns = [&](std::optional<size_t> state) { return state && tensors[*state].requires_grad(); };
  if (std::none_of(tensors.begin(), tensors.end(),
                   [](const auto& t) { return t.requires_grad() && !t.is_leaf(); }))
    return;
  for (const auto& call : network.calls) {
    if (call.op != "aten::batch_norm") continue;
    const auto mean = state_at(network, call, kMean), variance = state_at(network, call, kVariance);
    if (!learns(mean) && !learns(variance)) continue;
    const auto weight = state_at(network, call, kWeight), bias = state_at(network, call, kBias);
    bool own = weight && bias && !call.arguments[kTraining].constant().toBool();
    for (const auto& state : {mean, variance, weight, bias})
      own = own && state && count_uses(network, network.state[*state].value) == 1;
    if (own) {
      const double epsilon = call.arguments[kEpsilon].constant().toDouble();
      const auto scale = tensors[*weight] * (tensors[*variance] + epsilon).rsqrt();
      tensors[*bias] = tensors[*bias] - tensors[*mean] * scale;
      tensors[*weight] = scale * std::sqrt(1 + epsilon);
      tensors[*mean] = at::zeros_like(tensors[*mean]);
      tensors[*variance] = at::ones_like(tensors[*variance]);
    } else {
      for (const auto& state : {mean, variance})
        if (learns(state)) tensors[*state] = tensors[*state].detach();
    }
  }
}

}  // namespace inn
