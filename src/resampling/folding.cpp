#include "inn/resampling/folding.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <random>

#include "inn/core/error.h"
#include "inn/dimension/channel_places.h"
#include "inn/resampling/rows.h"

namespace inn {
namespace {

constexpr int kStarts = 4;
constexpr int kLloydSteps = 100;

/// [width, features] float64 on the CPU
at::Tensor features_to_fold(const AnalysedNetwork& source, GroupId id) {
  const auto& group = source.groups.groups.at(id);
  std::vector<at::Tensor> parts;
  for (const auto& member : group.members) {
    if (member.role != MemberRole::produce || !is_inexact(source.network.state[member.state].tensor))
      continue;
    const at::Tensor rows = member_rows(source.network, member, group.width).to(at::kCPU, at::kDouble);
    const double variation = (rows - rows.mean(0, true)).norm().item<double>();
    if (variation > 0) parts.push_back(rows / variation);
  }
  return parts.empty() ? at::zeros({group.width, 1}, at::kDouble) : at::cat(parts, 1);
}

/// Squared distances to the centres, [n, k].
at::Tensor squared_distances(const at::Tensor& points, const at::Tensor& centres) {
  return at::cdist(points, centres).square();
}

at::Tensor first_centres(const at::Tensor& points, int64_t count, std::mt19937_64& generator) {
  const int64_t n = points.size(0);
  std::vector<int64_t> chosen{static_cast<int64_t>(generator() % static_cast<uint64_t>(n))};
  at::Tensor nearest = squared_distances(points, points[chosen[0]].unsqueeze(0)).squeeze(1);
  while (static_cast<int64_t>(chosen.size()) < count) {
    const at::Tensor sums = nearest.cumsum(0);
    const double total = sums[n - 1].item<double>();
    const double drawn = std::uniform_real_distribution<double>(0, total)(generator);
    const int64_t next = std::min(n - 1, at::searchsorted(sums, drawn, false, true).item<int64_t>());
    chosen.push_back(next);
    nearest = at::minimum(nearest, squared_distances(points, points[next].unsqueeze(0)).squeeze(1));
  }
  return points.index_select(0, at::tensor(chosen));
}

/// Gives an empty cluster the point that is farthest from its own centre.
void fill_empty(at::Tensor& cluster, const at::Tensor& distances, int64_t count) {
  at::Tensor own = distances.gather(1, cluster.unsqueeze(1)).squeeze(1).clone();
  for (int64_t k = 0; k < count; ++k) {
    const at::Tensor sizes = at::bincount(cluster, {}, count);
    if (sizes[k].item<int64_t>() > 0) continue;
    const at::Tensor alone = sizes.index_select(0, cluster).eq(1);
    const int64_t point = own.masked_fill(alone, -1).argmax().item<int64_t>();
    cluster[point] = k;
    own[point] = 0;
  }
}

struct Clustering {
  at::Tensor cluster;  // [n]
  double error = std::numeric_limits<double>::infinity();
};

Clustering lloyd(const at::Tensor& points, int64_t count, std::mt19937_64& generator) {
  at::Tensor centres = first_centres(points, count, generator);
  Clustering result;
  for (int step = 0; step < kLloydSteps; ++step) {
    const at::Tensor distances = squared_distances(points, centres);
    at::Tensor cluster = distances.argmin(1);
    fill_empty(cluster, distances, count);
    const double error = distances.gather(1, cluster.unsqueeze(1)).sum().item<double>();
    const bool settled = result.cluster.defined() && at::equal(cluster, result.cluster);
    result = {cluster, error};
    if (settled) break;
    const at::Tensor sizes = at::bincount(cluster, {}, count).to(at::kDouble).unsqueeze(1);
    centres = at::zeros_like(centres).index_add(0, cluster, points) / sizes;
  }
  return result;
}

}  // namespace

std::vector<int64_t> channel_clusters(const AnalysedNetwork& source, GroupId group, int64_t count,
                                      uint64_t seed) {
  const int64_t n = source.groups.groups.at(group).width;
  require(count >= 1 && count <= n, "resampling",
          "Group '{}': with {} channels the number of clusters must be in [1, {}] but got {}.",
          source.groups.groups[group].name, n, n, count);
  const at::Tensor points = features_to_fold(source, group);
  std::mt19937_64 generator(seed);
  Clustering best;
  for (int start = 0; start < kStarts; ++start)
    if (auto found = lloyd(points, count, generator); found.error < best.error) best = std::move(found);
  std::vector<int64_t> clusters, number(static_cast<size_t>(count), -1);
  int64_t next = 0;
  for (int64_t c = 0; c < n; ++c) {
    auto& own = number[static_cast<size_t>(best.cluster[c].item<int64_t>())];
    if (own < 0) own = next++;
    clusters.push_back(own);
  }
  return clusters;
}

GroupMaps folding_maps(const std::vector<int64_t>& clusters) {
  const auto n = static_cast<int64_t>(clusters.size());
  const int64_t count = 1 + *std::max_element(clusters.begin(), clusters.end());
  if (count == n) return selection_maps(n, clusters);
  at::Tensor sum = at::zeros({count, n}, at::kDouble);
  sum.index_put_({at::tensor(clusters), at::arange(n)}, at::ones({n}, at::kDouble));
  return {AxisMap::dense(sum / sum.sum(1, true)), AxisMap::dense(sum)};
}

}  // namespace inn
