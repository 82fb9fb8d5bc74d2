#include "inn/data_quadrature/rotation.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

#include "checked_widths.h"
#include "inn/core/error.h"
#include "residual_stream.h"

namespace inn {
namespace {

/// The principal axes of the consumers' kernels, each kernel relative to its trace: [n, n], the greatest first, and the share of
/// each.
std::pair<at::Tensor, at::Tensor> principal_axes(const std::vector<ConsumerKernel>& kernels) {
  at::Tensor sum;
  for (const auto& consumer : kernels) {
    const auto relative = consumer.kernel / consumer.kernel.trace();
    sum = sum.defined() ? sum + relative : relative;
  }
  const auto [values, vectors] = at::linalg_eigh(sum);
  return {vectors.t().flip({0}).contiguous(), (values.flip({0}) / values.sum()).clamp_min(0)};
}

/// The floating-point outputs of the first batch, as one vector.
at::Tensor outputs_of(Network network, const Calibration& calibration) {
  network.set_training(false);
  std::vector<at::Tensor> outputs;
  for (const auto& value : network.forward(calibration.batch(0).value().inputs))
    if (value.isTensor() && value.toTensor().is_floating_point())
      outputs.push_back(value.toTensor().flatten().to(at::kCPU, at::kDouble));
  return outputs.empty() ? at::zeros({1}, at::kDouble) : at::cat(outputs);
}

/// The rounding of the network's least precise weights.
double rounding_of(const Network& network) {
  double rounding = std::numeric_limits<double>::epsilon();
  for (const auto& entry : network.state)
    if (entry.tensor.is_floating_point())
      AT_DISPATCH_FLOATING_TYPES_AND2(
          at::kHalf, at::kBFloat16, entry.tensor.scalar_type(), "rounding_of", [&] {
            rounding = std::max(rounding, static_cast<double>(std::numeric_limits<scalar_t>::epsilon()));
          });
  return rounding;
}

/// Refuses if the network, rotated with all channels kept, computes anything else on the first batch.
void verify(const AnalysedNetwork& source, const AnalysedNetwork& rotatable,
            const std::map<GroupId, GroupMaps>& whole, const Calibration& calibration) {
  const at::Tensor expected = outputs_of(source.network, calibration);
  const at::Tensor found = outputs_of(resample(rotatable, whole, Untouched::shared), calibration);
  const double change = ((found - expected).norm() / expected.norm().clamp_min(1e-300)).item<double>();
  for (const auto& [id, maps] : whole)
    require(change < std::sqrt(rounding_of(source.network)), "data_quadrature",
            "Group '{}': cannot be rotated: with all channels kept, the outputs would change by {:.2g} of "
            "their norm.",
            rotatable.groups.groups[id].name, change);
}

}  // namespace

Rotation rotate_streams(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths,
                        const Calibration& calibration, const KernelOptions& options) {
  const at::NoGradGuard no_grad;
  check_widths(source, widths);
  std::vector<GroupId> ids;
  for (const auto& [id, width] : widths) ids.push_back(id);
  auto rotatable = rotatable_streams(source, ids);
  Rotation result{std::move(rotatable.source), {}, {}};
  std::map<GroupId, GroupMaps> whole;
  for (const auto& [old, stream] : rotatable.streams) {
    const int64_t width = widths.at(old), all = source.groups.groups[old].width;
    const auto kernels = measure_kernels(result.source, {stream.group}, calibration, options);
    const auto [axes, shares] = principal_axes(kernels.at(stream.group));
    const at::Tensor rotation = axes.to(weight_type(result.source.network));
    GroupMaps maps{AxisMap::dense(rotation.narrow(0, 0, width)),
                   AxisMap::dense(rotation.narrow(0, 0, width))};
    const AxisMap gain = first_channels(all, width)
                             .produce.scale_rows(at::full(
                                 {width}, std::sqrt(static_cast<double>(all) / static_cast<double>(width))));
    auto& uncut = whole.emplace(stream.group, GroupMaps{AxisMap::dense(rotation), AxisMap::dense(rotation)})
                      .first->second;
    for (const auto state : stream.gains) {
      maps.whole.emplace(std::pair(state, int64_t{0}), gain);
      uncut.whole.emplace(std::pair(state, int64_t{0}), AxisMap::identity(all));
    }
    result.maps.emplace(stream.group, std::move(maps));
    result.errors.emplace(old, shares.narrow(0, width, all - width).sum().item<double>());
  }
  verify(source, result.source, whole, calibration);
  return result;
}

}  // namespace inn
