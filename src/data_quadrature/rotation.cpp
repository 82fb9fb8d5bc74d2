#include "inn/data_quadrature/rotation.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

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

}  // namespace

Rotation rotate_streams(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths,
                        const Calibration& calibration, const KernelOptions& options) {
  const at::NoGradGuard no_grad;
  check_widths(source, widths);
  std::vector<GroupId> ids;
  for (const auto& [id, width] : widths) ids.push_back(id);
  auto rotatable = rotatable_streams(source, ids);
  Rotation result{std::move(rotatable.source), {}, {}};
  for (const auto& [old, stream] : rotatable.streams) {
    const int64_t width = widths.at(old), all = source.groups.groups[old].width;
    const auto kernels = measure_kernels(result.source, {stream.group}, calibration, options);
    const auto [axes, shares] = principal_axes(kernels.at(stream.group));
    const AxisMap rotation = AxisMap::dense(axes.narrow(0, 0, width).to(weight_type(result.source.network)));
    GroupMaps maps{rotation, rotation};
    const AxisMap gain = first_channels(all, width)
                             .produce.scale_rows(at::full(
                                 {width}, std::sqrt(static_cast<double>(all) / static_cast<double>(width))));
    for (const auto state : stream.gains) maps.whole.emplace(std::pair(state, int64_t{0}), gain);
    result.maps.emplace(stream.group, std::move(maps));
    result.errors.emplace(old, shares.narrow(0, width, all - width).sum().item<double>());
  }
  return result;
}

}  // namespace inn
