#include "output_errors.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "inn/calibration/variation.h"
#include "inn/core/error.h"
#include "inn/core/ranks.h"
#include "inn/data_quadrature/head_maps.h"

namespace inn {
namespace {

constexpr double kLeastOutputVariation = 1e-12;

/// The batches from `begin` on with `samples` samples in total, or fewer if there are no more.
struct BatchRange {
  Calibration calibration;
  int64_t end, samples;
};

BatchRange batches_from(const Calibration& calibration, int64_t begin, int64_t samples) {
  require(calibration.batch != nullptr, "budget", "Calibration: batches are required but not given.");
  BatchRange range{calibration, begin, 0};
  for (auto batch = calibration.batch(begin); batch && range.samples < samples;
       batch = calibration.batch(range.end)) {
    range.samples += batch->inputs.at(0).toTensor().size(0);
    ++range.end;
  }
  range.calibration.batch = [of = calibration.batch, begin,
                             end = range.end](int64_t index) -> std::optional<CalibrationBatch> {
    return begin + index < end ? of(begin + index) : std::nullopt;
  };
  return range;
}

/// The floating-point outputs of every batch.
std::vector<std::vector<at::Tensor>> outputs_of(const Network& network, const Calibration& calibration) {
  const at::NoGradGuard no_grad;
  std::vector<std::vector<at::Tensor>> outputs;
  int64_t index = 0;
  for (auto batch = calibration.batch(0); batch; batch = calibration.batch(++index)) {
    outputs.emplace_back();
    for (const auto& value : network.forward(batch->inputs))
      if (value.isTensor() && value.toTensor().is_floating_point())
        outputs.back().push_back(value.toTensor().to(at::kDouble));
  }
  require(!outputs.empty() && !outputs[0].empty(), "budget",
          "Error curves: the network must return a floating-point tensor to compare.");
  return outputs;
}

/// Of each output.
std::vector<double> variations_of(const std::vector<std::vector<at::Tensor>>& batches) {
  std::vector<double> result;
  for (size_t k = 0; k < batches[0].size(); ++k) {
    Variation variation;
    for (const auto& outputs : batches) variation.add(outputs[k]);
    variation.sum_over_ranks();
    result.push_back(std::max(variation.sum(), kLeastOutputVariation));
  }
  return result;
}

}  // namespace

Calibration first_samples(const Calibration& calibration, int64_t samples) {
  return batches_from(calibration, 0, samples).calibration;
}

OutputErrors::OutputErrors(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                           const Calibration& calibration, const CurveOptions& options)
    : source_(source), options_(options) {
  source_.network.set_training(false);
  const auto fitting = batches_from(calibration, 0, options.samples);
  const auto others = batches_from(calibration, fitting.end, options.samples);
  fitting_ = fitting.calibration;
  comparing_ = others.samples >= fitting.samples ? others.calibration : fitting.calibration;
  wanted_ = outputs_of(source_.network, comparing_);
  variations_ = variations_of(wanted_);
  measure_split_kernels(source_, groups, fitting_, {.positions = options.positions, .seed = options.seed},
                        RefitOptions().held_out_every,
                        [&](GroupId id, SplitKernels kernels) { kernels_.emplace(id, std::move(kernels)); });
}

const GroupNodes& OutputErrors::nodes(GroupId id, int64_t width) {
  const auto found = nodes_.find({id, width});
  if (found != nodes_.end()) return found->second;
  const auto kernels = kernels_.find(id);
  const auto* known = kernels == kernels_.end() ? nullptr : &kernels->second;
  return nodes_.emplace(std::pair(id, width), nodes_of(source_, id, width, known, options_.nodes))
      .first->second;
}

double OutputErrors::at(const std::map<GroupId, int64_t>& widths, bool only_readers) {
  std::map<GroupId, GroupMaps> maps;
  for (const auto& [id, width] : widths)
    if (width < source_.groups.groups.at(id).width) maps.emplace(id, nodes(id, width).maps);
  if (maps.empty()) return 0;
  add_head_maps(source_, fitting_, maps, {.positions = options_.positions, .seed = options_.seed});
  Network cut = resample(source_, maps);
  cut.set_training(false);
  refit(cut, source_, maps, fitting_,
        {.positions = options_.positions,
         .seed = options_.seed,
         .gauss_newton_steps = 0,
         .only_readers = only_readers});
  const auto outputs = outputs_of(cut, comparing_);
  double error = 0;
  for (size_t k = 0; k < variations_.size(); ++k) {
    double difference = 0;
    for (size_t b = 0; b < outputs.size(); ++b)
      difference += (outputs[b][k] - wanted_[b][k]).square().sum().item<double>();
    sum_over_ranks(difference);
    error += difference / variations_[k];
  }
  return error;
}

}  // namespace inn
