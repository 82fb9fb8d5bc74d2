#include "inn/data_quadrature/data_quadrature.h"

#include <ATen/ATen.h>

#include "checked_widths.h"
#include "inn/core/error.h"
#include "inn/data_quadrature/head_maps.h"
#include "inn/pruning/importance.h"

namespace inn {
namespace {

// Of kernels, relative to the diagonal: those of which the best is taken for the weights, and the one for the nodes,
// each choice of which is cubic.
const std::vector<double> kRidges{1e-6, 3e-2, 3e-1};
constexpr double kNodeRidge = 1e-2;

}  // namespace

GroupNodes nodes_of(const AnalysedNetwork& source, GroupId id, int64_t width, const SplitKernels* kernels,
                    const NodeOptions& options) {
  const auto& group = source.groups.groups.at(id);
  GroupReport report{.id = id,
                     .name = group.name,
                     .source_width = group.width,
                     .width = width,
                     .nodes = {},
                     .criterion = "kernel"};
  if (kernels != nullptr) {
    const bool validated = !kernels->held_out.empty();
    NodeOptions own = options;
    if (validated) own.ridge = std::max(own.ridge, kNodeRidge);
    auto nodes = choose_validated(kernels->rest, validated ? kernels->held_out : kernels->rest, width, own,
                                  validated ? kRidges : std::vector<double>{options.ridge});
    report.nodes = std::move(nodes.nodes);
    report.error = nodes.error;
    report.ridge = nodes.ridge;
    GroupMaps maps{AxisMap::select(report.nodes, group.width), nodes.weights.to(weight_type(source.network))};
    return {std::move(maps), std::move(report)};
  }
  report.criterion = "l2";
  report.nodes = most_important(importance_scores(source, {id}, find_importance("l2")).at(id), width);
  GroupMaps maps = selection_maps(group.width, report.nodes);
  return {std::move(maps), std::move(report)};
}

std::map<GroupId, std::vector<int64_t>> rank_channels(const AnalysedNetwork& source,
                                                      const std::vector<GroupId>& groups,
                                                      const Calibration& calibration,
                                                      const NodeOptions& options,
                                                      const KernelOptions& measuring) {
  const auto kernels = measure_kernels(source, groups, calibration, measuring);
  std::map<GroupId, std::vector<int64_t>> ranked;
  for (const auto id : groups) {
    if (const auto found = kernels.find(id); found != kernels.end()) {
      ranked.emplace(id, rank_nodes(found->second, options).nodes);
    } else {
      const auto norms = importance_scores(source, {id}, find_importance("l2")).at(id);
      const auto order = norms.argsort(/*stable=*/true, 0, /*descending=*/true).contiguous();
      const auto* first = order.const_data_ptr<int64_t>();
      ranked.emplace(id, std::vector<int64_t>(first, first + order.numel()));
    }
  }
  return ranked;
}

NodesFound find_nodes(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths,
                      const Calibration& calibration, const NodeOptions& options,
                      const KernelOptions& measuring) {
  check_widths(source, widths);
  std::vector<GroupId> cut;
  for (const auto& [id, width] : widths)
    if (width < source.groups.groups[id].width) cut.push_back(id);
  NodesFound result;
  if (cut.empty()) return result;
  std::map<GroupId, GroupReport> reports;
  const auto take = [&](GroupId id, const SplitKernels* kernels) {
    auto found = nodes_of(source, id, widths.at(id), kernels, options);
    if (options.curves && kernels != nullptr) found.report.curve = rank_nodes(kernels->rest, options).errors;
    result.maps.emplace(id, std::move(found.maps));
    reports.emplace(id, std::move(found.report));
    if (options.progress)
      options.progress(static_cast<int64_t>(reports.size()), static_cast<int64_t>(cut.size()),
                       source.groups.groups[id].name);
  };
  measure_split_kernels(source, cut, calibration, measuring, RefitOptions().held_out_every,
                        [&](GroupId id, const SplitKernels& kernels) { take(id, &kernels); });
  for (const auto id : cut) {
    if (!reports.contains(id)) take(id, nullptr);
    result.groups.push_back(std::move(reports.at(id)));
  }
  const auto mixed = add_head_maps(source, calibration, result.maps, measuring);
  for (auto& report : result.groups)
    if (mixed.contains(report.id)) report.criterion = "mixture";
  return result;
}

DataQuadrature resample(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths,
                        const Calibration& calibration, const DataQuadratureOptions& options) {
  auto found = find_nodes(source, widths, calibration, options.nodes,
                          {.positions = options.refit.positions, .seed = options.refit.seed});
  DataQuadrature result{resample(source, found.maps), std::move(found.maps), std::move(found.groups), {}, 1};
  result.network.set_training(false);
  if (!options.refits || result.maps.empty()) return result;
  result.layers = refit(result.network, source, result.maps, calibration, options.refit);
  if (options.together.steps > 0)
    result.together_gain = refit_together(result.network, source, result.maps, calibration, options.together);
  return result;
}

}  // namespace inn
