#include "inn/resampling/importance.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <numeric>

#include "inn/core/error.h"
#include "inn/resampling/rows.h"

namespace inn {
namespace {

/// The sum over the weights that produce the group of the p-norms of its slices. Vectors (biases, norms) are
/// left out where there is a weight of more axes: their size says little of a channel.
at::Tensor norm_of_slices(const AnalysedNetwork& source, GroupId group, double p) {
  at::Tensor matrices, vectors;
  for (const auto& member : source.groups.groups.at(group).members) {
    if (member.role != Role::produce || !source.network.state[member.state].tensor.is_floating_point())
      continue;
    const auto score =
        member_rows(source.network, member, source.groups.groups[group].width).to(at::kDouble).norm(p, {1});
    auto& sum = source.network.state[member.state].tensor.dim() > 1 ? matrices : vectors;
    sum = sum.defined() ? sum + score : score;
  }
  if (matrices.defined()) return matrices;
  if (vectors.defined()) return vectors;
  // Nothing produces it (a padded part, say): what reads it decides.
  for (const auto& member : source.groups.groups.at(group).members) {
    const auto score =
        member_rows(source.network, member, source.groups.groups[group].width).to(at::kDouble).norm(p, {1});
    vectors = vectors.defined() ? vectors + score : score;
  }
  return vectors;
}

}  // namespace

const std::vector<Importance>& importances() {
  static const std::vector<Importance> table{
      {"l1", "sum of the absolute weights that produce the channel",
       [](const AnalysedNetwork& source, GroupId group, uint64_t) {
         return norm_of_slices(source, group, 1);
       }},
      {"l2", "root of the sum of the squared weights that produce the channel",
       [](const AnalysedNetwork& source, GroupId group, uint64_t) {
         return norm_of_slices(source, group, 2);
       }},
      {"random", "drawn uniformly, by the seed",
       [](const AnalysedNetwork& source, GroupId group, uint64_t seed) {
         auto generator = at::detail::createCPUGenerator(seed + group);
         return at::rand({source.groups.groups.at(group).width}, generator, at::TensorOptions(at::kDouble));
       }},
  };
  return table;
}

const Importance& find_importance(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& importance : importances()) {
    if (importance.name == name) return importance;
    names.push_back(importance.name);
  }
  raise("resampling", "Importance '{}': there is no such importance.{}", name, nearest_names(name, names));
}

std::vector<int64_t> most_important(const at::Tensor& scores, int64_t count) {
  require(scores.dim() == 1 && count >= 1 && count <= scores.size(0), "resampling",
          "Importance: count must be in [1, {}] but got {}.", scores.dim() == 1 ? scores.size(0) : 0, count);
  const at::Tensor values = scores.to(at::kDouble).contiguous();
  require(!values.isnan().any().item<bool>(), "resampling",
          "Importance: scores must be numbers but one is NaN.");
  const double* score = values.const_data_ptr<double>();
  std::vector<int64_t> order(static_cast<size_t>(scores.size(0)));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [score](int64_t a, int64_t b) { return score[a] > score[b]; });
  order.resize(static_cast<size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace inn
