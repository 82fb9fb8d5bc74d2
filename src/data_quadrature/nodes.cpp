#include "inn/data_quadrature/nodes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "block_nodes.h"
#include "inn/core/error.h"
#include "inverse.h"
#include "scaled_kernels.h"

namespace inn {
namespace {

// A channel whose residual variance is below this fraction of its variance is a combination of the nodes.
constexpr double kExplained = 1e-9;
constexpr int64_t kWideGroup = 256;
// Number of nodes that an exchange tries to drop: those that reduce the error least.
constexpr int64_t kTried = 4;
// Smallest relative decrease of the error for which an exchange is made.
constexpr double kWorthwhile = 1e-6;

/// Forward: residual kernels after the nodes taken so far.
class GreedyRun {
 public:
  explicit GreedyRun(const std::vector<ScaledKernel>& consumers) {
    const int64_t n = consumers[0].kernel.size(0);
    taken_ = at::zeros({n}, at::kBool);
    for (const auto& [kernel, gram, block] : consumers)
      parts_.push_back(
          {kernel.clone(), gram, (at::mm(kernel, gram) * kernel).sum(1), kernel.diagonal().clone()});
  }

  /// Takes the channel that lowers the error most, and returns it.
  int64_t take() {
    const int64_t best = gains().masked_fill(taken_, -1).argmax().item<int64_t>();
    take(best);
    return best;
  }

  void take(int64_t channel) {
    taken_[channel] = true;
    for (auto& part : parts_) {
      const at::Tensor r = part.residual.select(1, channel).clone();
      const double pivot = r[channel].item<double>();
      if (pivot <= kExplained * part.own[channel].item<double>()) continue;
      const at::Tensor mr = at::mv(part.gram, r), rmr = at::mv(part.residual, mr);
      const double energy = at::dot(r, mr).item<double>();
      part.gain.sub_(2 / pivot * r * rmr - energy / (pivot * pivot) * r.square());
      part.residual.addr_(r, r, 1, -1 / pivot);
    }
  }

  /// What each channel would take of the error.
  at::Tensor gains() const {
    at::Tensor sum = at::zeros_like(parts_[0].own);
    for (const auto& part : parts_) {
      const auto pivots = part.residual.diagonal();
      const auto open = pivots > kExplained * part.own;
      sum += at::where(open, part.gain / at::where(open, pivots, at::ones_like(pivots)), at::zeros_like(sum));
    }
    return sum;
  }

  double error() const {
    double sum = 0;
    for (const auto& part : parts_) sum += (part.gram * part.residual).sum().item<double>();
    return std::max(0., sum);
  }

 private:
  struct Part {
    at::Tensor residual, gram, gain /* diag(R·M·R) */, own /* diag(K) */;
  };
  std::vector<Part> parts_;
  at::Tensor taken_;
};

/// Backward: what each node that is left is worth. With P = K_SS⁻¹ and B = K_:S·P, the weights of S for
/// everything, taking j away costs (BᵀMB)_jj/P_jj.
class BackwardRun {
 public:
  BackwardRun(const std::vector<ScaledKernel>& consumers, const std::vector<int64_t>& nodes) {
    const int64_t n = consumers[0].kernel.size(0);
    gone_ = at::ones({n}, at::kBool);
    const at::Tensor index = at::tensor(nodes);
    gone_.index_fill_(0, index, false);
    for (const auto& [kernel, gram, block] : consumers) {
      at::Tensor inverse = at::zeros({n, n}, at::kDouble), weights = at::zeros({n, n}, at::kDouble);
      const at::Tensor of_nodes = kernel.index_select(0, index);
      const at::Tensor known = inverse_of(of_nodes.index_select(1, index));
      inverse.index_put_({index.unsqueeze(1), index.unsqueeze(0)}, known);
      weights.index_copy_(1, index, at::mm(of_nodes.t(), known));
      parts_.push_back({inverse, weights, gram, (at::mm(gram, weights) * weights).sum(0)});
    }
  }

  int64_t drop() {
    const int64_t least =
        costs().masked_fill(gone_, std::numeric_limits<double>::infinity()).argmin().item<int64_t>();
    drop(least);
    return least;
  }

  void drop(int64_t node) {
    error_ += costs()[node].item<double>();
    gone_[node] = true;
    for (auto& part : parts_) {
      const at::Tensor p = part.inverse.select(1, node).clone(), b = part.weights.select(1, node).clone();
      const double pivot = p[node].item<double>();
      if (pivot <= 0) continue;
      // The diagonal of BᵀMB for B − b·pᵀ/p_jj.
      const at::Tensor mb = at::mv(part.gram, b), bmb = at::mv(part.weights.t(), mb);
      const double energy = at::dot(b, mb).item<double>();
      part.energy.sub_(2 / pivot * p * bmb - energy / (pivot * pivot) * p.square());
      part.inverse.addr_(p, p, 1, -1 / pivot);
      part.weights.addr_(b, p, 1, -1 / pivot);
    }
  }

  at::Tensor costs() const {
    at::Tensor sum = at::zeros_like(parts_[0].energy);
    for (const auto& part : parts_) {
      const auto pivots = part.inverse.diagonal();
      const auto open = pivots > 0;
      sum += at::where(open, part.energy.clamp_min(0) / at::where(open, pivots, at::ones_like(pivots)),
                       at::zeros_like(sum));
    }
    return sum;
  }

  double added_error() const { return error_; }

 private:
  struct Part {
    at::Tensor inverse, weights, gram, energy /* diag(Bᵀ·M·B) */;
  };
  std::vector<Part> parts_;
  at::Tensor gone_;
  double error_ = 0;
};

std::vector<int64_t> all_channels(int64_t n) {
  std::vector<int64_t> all(static_cast<size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<int64_t> forward_nodes(const std::vector<ScaledKernel>& consumers, int64_t count) {
  GreedyRun run(consumers);
  std::vector<int64_t> nodes;
  for (int64_t k = 0; k < count; ++k) nodes.push_back(run.take());
  return nodes;
}

std::vector<int64_t> backward_nodes(const std::vector<ScaledKernel>& consumers, int64_t count) {
  const int64_t n = consumers[0].kernel.size(0);
  std::vector<int64_t> nodes = all_channels(n);
  BackwardRun run(consumers, nodes);
  for (int64_t k = n; k > count; --k) std::erase(nodes, run.drop());
  return nodes;
}

/// Drops one of the nodes that are worth least and takes the channel that gives most, while that lowers the
/// error.
void exchange(const std::vector<ScaledKernel>& consumers, int64_t times, std::vector<int64_t>& nodes) {
  double error = error_left(consumers, nodes);
  for (int64_t t = 0; t < times; ++t) {
    const at::Tensor costs = BackwardRun(consumers, nodes).costs().index_select(0, at::tensor(nodes));
    const at::Tensor cheapest = costs.argsort();
    bool found = false;
    for (int64_t k = 0; k < std::min(kTried, cheapest.numel()) && !found; ++k) {
      std::vector<int64_t> tried = nodes;
      tried.erase(tried.begin() + cheapest[k].item<int64_t>());
      GreedyRun forward(consumers);
      for (const auto node : tried) forward.take(node);
      tried.push_back(forward.take());
      const double now = error_left(consumers, tried);
      if (!(now < error * (1 - kWorthwhile))) continue;
      error = now;
      nodes = std::move(tried);
      found = true;
    }
    if (!found) return;
  }
}

}  // namespace

double node_error(const std::vector<ConsumerKernel>& consumers, const std::vector<int64_t>& nodes,
                  double ridge) {
  return error_left(scaled_kernels(consumers, ridge, false), nodes);
}

std::vector<int64_t> choose_nodes(const std::vector<ConsumerKernel>& consumers, int64_t count,
                                  const NodeOptions& options) {
  require(!consumers.empty(), "data_quadrature", "Nodes: a group requires a consumer but has none.");
  const int64_t n = consumers[0].kernel.size(0) / consumers[0].block;
  require(count >= 1 && count <= n, "data_quadrature",
          "Nodes: of {} channels, the number to keep must be in [1, {}] but got {}.", n, n, count);
  if (count == n) return all_channels(n);
  if (in_blocks(consumers)) return choose_blocks(consumers, count, options);
  const auto parts = scaled_kernels(consumers, options.ridge, options.choice == NodeChoice::cholesky);
  std::vector<int64_t> nodes;
  if (options.choice != NodeChoice::backward) nodes = forward_nodes(parts, count);
  if (options.choice == NodeChoice::backward || options.choice == NodeChoice::best) {
    auto backward = backward_nodes(parts, count);
    if (nodes.empty() || error_left(parts, backward) < error_left(parts, nodes)) nodes = std::move(backward);
  }
  // Each exchange is Θ(n³): wide groups get fewer, so that the choice stays a matter of seconds.
  const int64_t wide = std::max<int64_t>(n, kWideGroup);
  exchange(parts, options.exchanges * kWideGroup * kWideGroup / (wide * wide), nodes);
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

NodeRanking rank_nodes(const std::vector<ConsumerKernel>& consumers, const NodeOptions& options) {
  require(!consumers.empty(), "data_quadrature", "Nodes: a group requires a consumer but has none.");
  if (in_blocks(consumers)) return rank_blocks(consumers, options);
  const auto parts = scaled_kernels(consumers, options.ridge, options.choice == NodeChoice::cholesky);
  const int64_t n = parts[0].kernel.size(0);
  NodeRanking ranking;
  if (options.choice == NodeChoice::greedy || options.choice == NodeChoice::cholesky) {
    GreedyRun run(parts);
    for (int64_t k = 0; k < n; ++k) {
      ranking.nodes.push_back(run.take());
      ranking.errors.push_back(run.error());
    }
    return ranking;
  }
  BackwardRun run(parts, all_channels(n));
  for (int64_t k = n; k >= 1; --k) {
    ranking.errors.push_back(run.added_error());
    ranking.nodes.push_back(run.drop());
  }
  std::reverse(ranking.nodes.begin(), ranking.nodes.end());
  std::reverse(ranking.errors.begin(), ranking.errors.end());
  return ranking;
}

AxisMap kernel_weights(const std::vector<ConsumerKernel>& given, const std::vector<int64_t>& nodes,
                       double ridge) {
  const auto consumers = between_channels(given);
  const auto parts = scaled_kernels(consumers, ridge, false);
  at::Tensor kernel = at::zeros_like(parts[0].kernel);
  for (size_t k = 0; k < parts.size(); ++k) {
    const double energy = (consumers[k].gram * parts[k].kernel).sum().item<double>();
    kernel += parts[k].kernel / std::max(energy, std::numeric_limits<double>::min());
  }
  const at::Tensor index = at::tensor(nodes);
  const at::Tensor across = kernel.index_select(0, index);
  return AxisMap::dense(at::mm(inverse_of(across.index_select(1, index)), across));
}

}  // namespace inn
