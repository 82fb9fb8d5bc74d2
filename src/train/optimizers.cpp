#include <ATen/ATen.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include "inn/train/train.h"
#include "recipes.h"

namespace inn::recipes {
namespace {

using Tensors = std::vector<at::Tensor>;
using State = std::map<std::string, at::Tensor>;

/// Two groups of parameters. The decay is set afterwards: torch takes a group's option that equals torch's
/// own default for one that was not given.
template <class Optimizer, class Options>
std::unique_ptr<torch::optim::Optimizer> make_optimizer(const Tensors& decayed, const Tensors& plain,
                                                        Options options, double weight_decay) {
  std::vector<torch::optim::OptimizerParamGroup> groups;
  for (const auto& parameters : {decayed, plain})
    if (!parameters.empty()) groups.emplace_back(parameters);
  auto optimizer = std::make_unique<Optimizer>(groups, options);
  for (size_t g = 0; g < optimizer->param_groups().size(); ++g)
    static_cast<Options&>(optimizer->param_groups()[g].options())
        .weight_decay(g == 0 && !decayed.empty() ? weight_decay : 0);
  return optimizer;
}

template <class ParameterState>
ParameterState* find_state(torch::optim::Optimizer& optimizer, const at::Tensor& parameter) {
  const auto found = optimizer.state().find(parameter.unsafeGetTensorImpl());
  return found == optimizer.state().end() ? nullptr : static_cast<ParameterState*>(found->second.get());
}

State sgd_state(torch::optim::Optimizer& optimizer, const at::Tensor& parameter) {
  const auto* state = find_state<torch::optim::SGDParamState>(optimizer, parameter);
  if (state == nullptr || !state->momentum_buffer().defined()) return {};
  return {{"momentum_buffer", state->momentum_buffer()}};
}

void restore_sgd(torch::optim::Optimizer& optimizer, const at::Tensor& parameter, const State& kept) {
  auto state = std::make_unique<torch::optim::SGDParamState>();
  state->momentum_buffer(kept.at("momentum_buffer"));
  optimizer.state()[parameter.unsafeGetTensorImpl()] = std::move(state);
}

template <class ParameterState>
State adam_state(torch::optim::Optimizer& optimizer, const at::Tensor& parameter) {
  const auto* state = find_state<ParameterState>(optimizer, parameter);
  if (state == nullptr) return {};
  return {{"step", at::scalar_tensor(state->step(), at::kLong)},
          {"exp_avg", state->exp_avg()},
          {"exp_avg_sq", state->exp_avg_sq()}};
}

template <class ParameterState>
void restore_adam(torch::optim::Optimizer& optimizer, const at::Tensor& parameter, const State& kept) {
  auto state = std::make_unique<ParameterState>();
  state->step(kept.at("step").template item<int64_t>());
  state->exp_avg(kept.at("exp_avg"));
  state->exp_avg_sq(kept.at("exp_avg_sq"));
  optimizer.state()[parameter.unsafeGetTensorImpl()] = std::move(state);
}

template <class Optimizer, class Options, class ParameterState>
OptimizerEntry adam_like(std::string name, std::string doc) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .make =
              [](const Tensors& decayed, const Tensors& plain, const TrainOptions& options) {
                return make_optimizer<Optimizer>(decayed, plain, Options(options.learning_rate),
                                                 options.weight_decay);
              },
          .state = adam_state<ParameterState>,
          .restore = restore_adam<ParameterState>};
}

}  // namespace

OptimizerEntry sgd() {
  return {.name = "sgd",
          .doc = "stochastic gradient descent with Nesterov momentum",
          .make =
              [](const Tensors& decayed, const Tensors& plain, const TrainOptions& options) {
                torch::optim::SGDOptions own(options.learning_rate);
                own.momentum(options.momentum).nesterov(options.momentum > 0);
                return make_optimizer<torch::optim::SGD>(decayed, plain, own, options.weight_decay);
              },
          .state = sgd_state,
          .restore = restore_sgd};
}

OptimizerEntry adam() {
  return adam_like<torch::optim::Adam, torch::optim::AdamOptions, torch::optim::AdamParamState>(
      "adam", "Adam (Kingma and Ba, ICLR 2015), with weight decay added to the gradient");
}

OptimizerEntry adamw() {
  return adam_like<torch::optim::AdamW, torch::optim::AdamWOptions, torch::optim::AdamWParamState>(
      "adamw", "Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019)");
}

}  // namespace inn::recipes
