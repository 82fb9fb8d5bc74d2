#include "resampling/block_nodes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "inn/core/error.h"
#include "resampling/inverse.h"

namespace inn {
namespace {

// An exchange is tried with so many nodes, those taken first: they were taken knowing least.
constexpr size_t kTriedBlocks = 16;
constexpr double kWorthwhileExchange = 1e-6;

struct BlockPart {
  at::Tensor kernel, gram;  // with the ridge; with trace(M·K) = 1
  int64_t block;
};

std::vector<BlockPart> block_parts(const std::vector<ConsumerKernel>& consumers, double ridge,
                                   bool plain_gram) {
  require(!consumers.empty(), "resampling", "Nodes: a group needs a consumer but has none.");
  const int64_t n = consumers[0].kernel.size(0) / consumers[0].block;
  std::vector<BlockPart> parts;
  for (const auto& consumer : consumers) {
    const int64_t size = n * consumer.block;
    require(consumer.kernel.dim() == 2 && consumer.kernel.size(0) == size &&
                consumer.kernel.size(1) == size && consumer.gram.sizes() == consumer.kernel.sizes(),
            "resampling", "Nodes: kernels and Gram matrices must be [{}, {}].", size, size);
    at::Tensor kernel = consumer.kernel.to(at::kDouble).clone();
    const double mean = kernel.diagonal().mean().item<double>();
    kernel.diagonal().add_(std::max(ridge * mean, std::numeric_limits<double>::min()));
    const at::Tensor gram = plain_gram ? at::eye(size, at::kDouble) : consumer.gram.to(at::kDouble);
    const double energy = (gram * kernel).sum().item<double>();
    parts.push_back({kernel, energy > 0 ? gram / energy : gram, consumer.block});
  }
  return parts;
}

at::Tensor features_of_nodes(const std::vector<int64_t>& nodes, int64_t block) {
  return (at::tensor(nodes).unsqueeze(1) * block + at::arange(block)).flatten();
}

/// What is left of each kernel where the nodes are known.
std::vector<at::Tensor> residuals(const std::vector<BlockPart>& parts, const std::vector<int64_t>& nodes) {
  std::vector<at::Tensor> result;
  for (const auto& part : parts) {
    if (nodes.empty()) {
      result.push_back(part.kernel);
      continue;
    }
    const at::Tensor index = features_of_nodes(nodes, part.block);
    const at::Tensor across = part.kernel.index_select(0, index);
    result.push_back(part.kernel -
                     at::mm(across.t(), at::mm(inverse_of(across.index_select(1, index)), across)));
  }
  return result;
}

double error_left(const std::vector<BlockPart>& parts, const std::vector<int64_t>& nodes) {
  const auto left = residuals(parts, nodes);
  double sum = 0;
  for (size_t k = 0; k < parts.size(); ++k) sum += (parts[k].gram * left[k]).sum().item<double>();
  return std::max(0., sum);
}

/// The channel, not among the nodes, that with them leaves the least error: the greatest
/// tr(R_jj⁻¹·(R·M·R)_jj).
int64_t best_next(const std::vector<BlockPart>& parts, const std::vector<int64_t>& nodes) {
  const auto left = residuals(parts, nodes);
  const int64_t n = parts[0].kernel.size(0) / parts[0].block;
  std::vector<double> gains(static_cast<size_t>(n), 0.);
  for (size_t k = 0; k < parts.size(); ++k) {
    const at::Tensor seen = at::mm(at::mm(left[k], parts[k].gram), left[k]);
    const int64_t b = parts[k].block;
    for (int64_t j = 0; j < n; ++j) {
      if (std::find(nodes.begin(), nodes.end(), j) != nodes.end()) continue;
      const auto square = [&](const at::Tensor& matrix) {
        return matrix.narrow(0, j * b, b).narrow(1, j * b, b);
      };
      const at::Tensor own = square(left[k]);
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

double block_error(const std::vector<ConsumerKernel>& consumers, const std::vector<int64_t>& nodes,
                   double ridge) {
  return error_left(block_parts(consumers, ridge, false), nodes);
}

std::vector<int64_t> choose_blocks(const std::vector<ConsumerKernel>& consumers, int64_t count,
                                   const NodeOptions& options) {
  const auto parts = block_parts(consumers, options.ridge, options.choice == NodeChoice::cholesky);
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

std::vector<double> block_curve(const std::vector<ConsumerKernel>& consumers, const NodeOptions& options) {
  const auto parts = block_parts(consumers, options.ridge, options.choice == NodeChoice::cholesky);
  const int64_t n = parts[0].kernel.size(0) / parts[0].block;
  std::vector<double> curve;
  std::vector<int64_t> nodes;
  while (static_cast<int64_t>(nodes.size()) < n) {
    nodes.push_back(best_next(parts, nodes));
    curve.push_back(error_left(parts, nodes));
  }
  return curve;
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
