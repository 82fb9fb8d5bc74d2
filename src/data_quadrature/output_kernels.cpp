#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>

#include "inn/calibration/calibration_run.h"
#include "inn/calibration/variation.h"
#include "inn/core/ranks.h"
#include "inn/data_quadrature/kernels.h"
#include "inn/network/functionalize.h"
#include "kernel_meter.h"

namespace inn {
namespace {

std::vector<at::Tensor> floating(const std::vector<c10::IValue>& values) {
  std::vector<at::Tensor> result;
  for (const auto& value : values)
    if (value.isTensor() && value.toTensor().is_floating_point()) result.push_back(value.toTensor());
  require(!result.empty(), "data_quadrature", "The network must return a floating-point tensor to compare.");
  return result;
}

/// Normal noise like the value, drawn for each sample by its own number, whichever batch and rank it is in.
at::Tensor noise_like(const at::Tensor& value, int64_t first, int64_t samples, uint64_t seed) {
  at::Tensor noise = at::empty(value.sizes(), value.options());
  const int64_t parts = value.dim() > 0 && value.size(0) % samples == 0 ? samples : 1;
  const auto rows = noise.view({parts, -1});
  for (int64_t k = 0; k < parts; ++k) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed + static_cast<uint64_t>(first + k));
    rows[k].copy_(at::randn({rows.size(1)}, generator));
  }
  return noise;
}

}  // namespace

std::map<GroupId, std::vector<ConsumerKernel>> measure_output_kernels(const AnalysedNetwork& source,
                                                                      const std::vector<GroupId>& groups,
                                                                      const Calibration& calibration,
                                                                      const KernelOptions& options) {
  KernelMeter meter(source, groups, options);
  Network network = source.network;
  network.set_training(false);
  if (auto plain = functionalize(network)) network = std::move(*plain);
  use_fastest_layout(network);
  std::vector<at::Tensor> tensors = network.tensors();
  std::vector<Variation> variations;
  int64_t first = 0;
  {
    const at::NoGradGuard no_grad;
    for_each_batch(calibration, [&](const CalibrationBatch& batch) {
      const int64_t samples = batch.inputs.at(0).toTensor().size(0);
      const auto observe = [&](ValueId value, const at::Tensor& tensor) {
        meter.observe(value, tensor, samples);
      };
      const auto outputs = floating(network.forward(batch.inputs, tensors, {.observe = observe}));
      variations.resize(outputs.size());
      for (size_t k = 0; k < outputs.size(); ++k) variations[k].add(outputs[k]);
      first += samples;
    });
  }
  auto all = static_cast<double>(first);
  sum_over_ranks(all);
  first = sum_of_ranks_before(first);
  std::vector<double> scales;  // of each output: 1/√(its variation, a sample)
  for (auto& variation : variations) {
    variation.sum_over_ranks();
    scales.push_back(std::sqrt(all / std::max(variation.sum(), std::numeric_limits<double>::min())));
  }
  for (size_t s = 0; s < tensors.size(); ++s)
    tensors[s] = tensors[s].detach().requires_grad_(network.state[s].kind == StateEntry::Kind::parameter &&
                                                    tensors[s].is_floating_point());
  for_each_batch(calibration, [&](const CalibrationBatch& batch) {
    const at::AutoGradMode gradients(true);
    const int64_t samples = batch.inputs.at(0).toTensor().size(0);
    std::vector<ValueId> values;
    std::vector<at::Tensor> watched, reached, vectors;
    const auto observe = [&](ValueId value, const at::Tensor& tensor) {
      if (!meter.watches(value) || !tensor.requires_grad()) return;
      values.push_back(value);
      watched.push_back(tensor);
    };
    const auto outputs = floating(network.forward(batch.inputs, tensors, {.observe = observe}));
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (!outputs[k].requires_grad()) continue;
      reached.push_back(outputs[k]);
      vectors.push_back(noise_like(outputs[k].detach(), first, samples, options.seed) * scales[k]);
    }
    first += samples;
    if (reached.empty() || watched.empty()) return;
    const auto found =
        torch::autograd::grad(reached, watched, vectors, std::nullopt, false, /*allow_unused=*/true);
    const at::NoGradGuard no_grad;
    for (size_t k = 0; k < found.size(); ++k)
      if (found[k].defined()) meter.observe_gradient(values[k], found[k], samples);
  });
  meter.sum_over_ranks();
  return meter.output_kernels();
}

}  // namespace inn
