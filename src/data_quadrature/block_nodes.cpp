#include "block_nodes.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "inverse.h"
#include "scaled_kernels.h"

namespace inn {
namespace {

// Number of nodes that an exchange tries to replace: the first ones, chosen before the others were known.
constexpr size_t kTriedBlocks = 16;
constexpr double kWorthwhileExchange = 1e-6;

/// The channel, not among the nodes, that with them leaves the least error: the greatest
/// tr(R_jj⁻¹·(R·M·R)_jj).
int64_t best_next(const std::vector<ScaledKernel>& parts, const std::vector<int64_t>& nodes) {
  const int64_t n = parts[0].kernel.size(0) / parts[0].block;
  std::vector<double> gains(static_cast<size_t>(n), 0.);
  for (const auto& part : parts) {
    const at::Tensor left = nodes.empty() ? part.kernel : kernel_left(part, nodes);
    const at::Tensor seen = at::mm(at::mm(left, part.gram), left);
    const int64_t b = part.block;
    for (int64_t j = 0; j < n; ++j) {
      if (std::find(nodes.begin(), nodes.end(), j) != nodes.end()) continue;
      const auto square = [&](const at::Tensor& matrix) {
        return matrix.narrow(0, j * b, b).narrow(1, j * b, b);
      };
      const at::Tensor own = square(left);
      if (own.diagonal().sum().item<double>() <= 0) continue;
      gains[static_cast<size_t>(j)] += (inverse_of(own) * square(seen)).sum().item<double>();
    }
  }
  for (const auto node : nodes) gains[static_cast<size_t>(node)] = -1;
  return std::max_element(gains.begin(), gains.end()) - gains.begin();
}

}  // namespace

bool in_blocks(const std::vector<ConsumerKernel>& consumers) {
  return std::any_of(consumers.begin(), consumers.end(), [](const auto& each) { return each.block > 1; });
}

std::vector<int64_t> choose_blocks(const std::vector<ConsumerKernel>& consumers, int64_t count,
                                   const NodeOptions& options) {
  const auto parts = scaled_kernels(consumers, options.ridge, options.choice == NodeChoice::cholesky);
  std::vector<int64_t> nodes;
  while (static_cast<int64_t>(nodes.size()) < count) nodes.push_back(best_next(parts, nodes));
  double error = error_left(parts, nodes);
  bool found = true;
  for (int64_t t = 0; t < options.exchanges && found; ++t) {
    found = false;
    for (size_t k = 0; k < std::min(kTriedBlocks, nodes.size()) && !found; ++k) {
      std::vector<int64_t> tried = nodes;
      tried.erase(tried.begin() + static_cast<std::ptrdiff_t>(k));
      tried.push_back(best_next(parts, tried));
      const double now = error_left(parts, tried);
      if (!(now < error * (1 - kWorthwhileExchange))) continue;
      error = now;
      nodes = std::move(tried);
      found = true;
    }
  }
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

NodeRanking rank_blocks(const std::vector<ConsumerKernel>& consumers, const NodeOptions& options) {
  const auto parts = scaled_kernels(consumers, options.ridge, options.choice == NodeChoice::cholesky);
  const int64_t n = parts[0].kernel.size(0) / parts[0].block;
  NodeRanking ranking;
  while (static_cast<int64_t>(ranking.nodes.size()) < n) {
    ranking.nodes.push_back(best_next(parts, ranking.nodes));
    ranking.errors.push_back(error_left(parts, ranking.nodes));
  }
  return ranking;
}

std::vector<ConsumerKernel> between_channels(const std::vector<ConsumerKernel>& consumers) {
  std::vector<ConsumerKernel> result;
  for (const auto& consumer : consumers) {
    const int64_t b = consumer.block, n = consumer.kernel.size(0) / b;
    const auto sum = [&](const at::Tensor& matrix) {
      return matrix.reshape({n, b, n, b}).diagonal(0, 1, 3).sum(-1);
    };
    result.push_back(b == 1 ? consumer : ConsumerKernel{sum(consumer.kernel), sum(consumer.gram)});
  }
  return result;
}

}  // namespace inn
