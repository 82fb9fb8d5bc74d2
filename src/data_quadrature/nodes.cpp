#include "inn/data_quadrature/nodes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
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
constexpr int64_t kWideGroup = 256, kVeryWideGroup = 1024;
// Number of nodes that an exchange tries to drop: those that reduce the error least.
constexpr int64_t kTried = 4;
// Smallest relative decrease of the error for which an exchange is made.
constexpr double kWorthwhile = 1e-6;

// Eliminations that are applied to the matrices at once, as one product: one by one they would be bound by memory.
constexpr int64_t kBlock = 64;
// Share of the channels left at which the matrices are made smaller.
constexpr double kShrink = 0.75;

/// Elimination of channels one by one, by what each is worth: E_cc/A_cc, summed over the consumers. With a = A_:c
/// and e = E_:c, eliminating c leaves
///   A − a·aᵀ/A_cc  and  E − (a·eᵀ + e·aᵀ)/A_cc + E_cc/A_cc²·a·aᵀ.
///
/// Forward, A is the residual kernel R given the nodes eliminated so far and E = R·M·R: the worth is what a node
/// takes of the error. Backward, A = K_SS⁻¹ of the nodes S that are left and E = Bᵀ·M·B, B = K_:S·K_SS⁻¹ their
/// weights for everything: the worth is what taking the node away adds to the error.
class Elimination {
 public:
  static Elimination forward(const std::vector<ScaledKernel>& consumers) {
    Elimination run(consumers[0].kernel.size(0));
    for (const auto& [kernel, gram, block] : consumers)
      run.add(kernel.clone(), at::mm(at::mm(kernel, gram), kernel), kernel.diagonal() * kExplained);
    return run;
  }

  static Elimination backward(const std::vector<ScaledKernel>& consumers) {
    Elimination run(consumers[0].kernel.size(0));
    for (const auto& [kernel, gram, block] : consumers)
      run.add(inverse_of(kernel), gram.clone(), at::zeros({kernel.size(0)}, at::kDouble));
    return run;
  }

  struct Eliminated {
    int64_t channel;
    double worth;
  };
  Eliminated most() { return eliminate(worths().masked_fill_(gone_, -1).argmax().item<int64_t>()); }
  Eliminated least() {
    return eliminate(
        worths().masked_fill_(gone_, std::numeric_limits<double>::infinity()).argmin().item<int64_t>());
  }

 private:
  /// A = pivots − Uᵀ·U and E = energies − Uᵀ·Z − Zᵀ·U, with the first `pending` rows of U and Z.
  struct Part {
    at::Tensor pivots, energies, pivot /* diag(A) */, energy /* diag(E) */, floor /* of the pivots */, u, z;
    int64_t pending = 0;
  };

  explicit Elimination(int64_t n)
      : channels_(at::arange(n, at::kLong)), gone_(at::zeros({n}, at::kBool)), left_(n) {}

  void add(at::Tensor pivots, at::Tensor energies, at::Tensor floor) {
    const at::Tensor rows = at::zeros({kBlock, pivots.size(0)}, at::kDouble);
    parts_.push_back({pivots, energies, pivots.diagonal().clone(), energies.diagonal().clone(),
                      std::move(floor), rows, rows.clone()});
  }

  at::Tensor worths() const {
    at::Tensor sum = at::zeros_like(parts_[0].pivot);
    for (const auto& part : parts_)
      sum += at::where(part.pivot > part.floor, part.energy.clamp_min(0) / part.pivot, at::zeros_like(sum));
    return sum;
  }

  Eliminated eliminate(int64_t at) {
    const Eliminated result{channels_[at].item<int64_t>(), worths()[at].item<double>()};
    gone_[at] = true;
    --left_;
    for (auto& part : parts_) {
      const double pivot = part.pivot[at].item<double>();
      if (pivot <= part.floor[at].item<double>()) continue;
      const auto u = part.u.narrow(0, 0, part.pending), z = part.z.narrow(0, 0, part.pending);
      const at::Tensor u_at = u.select(1, at).contiguous(), z_at = z.select(1, at).contiguous();
      const double root = std::sqrt(pivot);
      const at::Tensor a = (part.pivots[at] - at::mv(u.t(), u_at)).div_(root);
      at::Tensor e = (part.energies[at] - at::mv(u.t(), z_at) - at::mv(z.t(), u_at)).div_(root);
      e.sub_(a, e[at].item<double>() / (2 * root));
      part.pivot.addcmul_(a, a, -1);
      part.energy.addcmul_(a, e, -2);
      part.u[part.pending].copy_(a);
      part.z[part.pending++].copy_(e);
      if (part.pending == kBlock) apply(part);
    }
    if (left_ > 0 && static_cast<double>(left_) <= kShrink * static_cast<double>(gone_.numel())) shrink();
    return result;
  }

  static void apply(Part& part) {
    const auto u = part.u.narrow(0, 0, part.pending), z = part.z.narrow(0, 0, part.pending);
    part.pivots.addmm_(u.t(), u, 1, -1);
    part.energies.addmm_(at::cat({u, z}).t(), at::cat({z, u}), 1, -1);
    part.pending = 0;
  }

  void shrink() {
    const at::Tensor kept = gone_.logical_not().nonzero().squeeze(1);
    for (auto& part : parts_) {
      apply(part);
      for (auto* matrix : {&part.pivots, &part.energies})
        *matrix = matrix->index_select(0, kept).index_select(1, kept);
      for (auto* vector : {&part.pivot, &part.energy, &part.floor}) *vector = vector->index_select(0, kept);
      for (auto* rows : {&part.u, &part.z}) *rows = rows->narrow(1, 0, left_).contiguous();
    }
    channels_ = channels_.index_select(0, kept);
    gone_ = at::zeros({left_}, at::kBool);
  }

  std::vector<Part> parts_;
  at::Tensor channels_, gone_;
  int64_t left_;
};

std::vector<int64_t> all_channels(int64_t n) {
  std::vector<int64_t> all(static_cast<size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<int64_t> forward_nodes(const std::vector<ScaledKernel>& consumers, int64_t count) {
  auto run = Elimination::forward(consumers);
  std::vector<int64_t> nodes;
  for (int64_t k = 0; k < count; ++k) nodes.push_back(run.most().channel);
  return nodes;
}

std::vector<int64_t> backward_nodes(const std::vector<ScaledKernel>& consumers, int64_t count) {
  const int64_t n = consumers[0].kernel.size(0);
  std::vector<int64_t> nodes = all_channels(n);
  auto run = Elimination::backward(consumers);
  for (int64_t k = n; k > count; --k) std::erase(nodes, run.least().channel);
  return nodes;
}

/// What an exchange has to know of the nodes S and one consumer.
struct AtNodes {
  at::Tensor pivot;    // diag(K_SS⁻¹)
  at::Tensor energy;   // diag(Bᵀ·M·B)
  at::Tensor weights;  // B = K_:S·K_SS⁻¹
  at::Tensor left;     // R = K − B·K_S:
  at::Tensor carried;  // R·M
  at::Tensor gain;     // diag(R·M·R)
  at::Tensor floor;    // of R's diagonal

  AtNodes(const ScaledKernel& scaled, const at::Tensor& index) {
    const at::Tensor of_nodes = scaled.kernel.index_select(0, index);
    const at::Tensor inverse = inverse_of(of_nodes.index_select(1, index));
    pivot = inverse.diagonal().clone();
    weights = at::mm(of_nodes.t(), inverse);
    energy = (at::mm(scaled.gram, weights) * weights).sum(0);
    left = scaled.kernel - at::mm(weights, of_nodes);
    carried = at::mm(left, scaled.gram);
    gain = (carried * left).sum(1);
    floor = scaled.kernel.diagonal() * kExplained;
  }

  /// What each channel would take of the error once the node at this position is dropped: R grows by b·bᵀ/p.
  at::Tensor gains_without(int64_t position) const {
    const at::Tensor b = weights.select(1, position);
    const double p = pivot[position].item<double>();
    const at::Tensor diagonal = left.diagonal() + b.square() / p;
    const at::Tensor sum =
        gain + 2 / p * b * at::mv(carried, b) + energy[position].item<double>() / (p * p) * b.square();
    return at::where(diagonal > floor, sum / diagonal, at::zeros_like(sum));
  }
};

/// Drops one of the nodes that are worth least and takes the channel that gives most, while that lowers the
/// error.
void exchange(const std::vector<ScaledKernel>& consumers, int64_t times, std::vector<int64_t>& nodes) {
  if (times == 0) return;
  double error = error_left(consumers, nodes);
  for (int64_t t = 0; t < times; ++t) {
    const at::Tensor index = at::tensor(nodes);
    std::vector<AtNodes> parts;
    at::Tensor costs = at::zeros({index.numel()}, at::kDouble);
    for (const auto& consumer : consumers) {
      const auto& part = parts.emplace_back(consumer, index);
      costs += part.energy / part.pivot;
    }
    const at::Tensor cheapest = costs.argsort();
    bool found = false;
    for (int64_t k = 0; k < std::min(kTried, cheapest.numel()) && !found; ++k) {
      const auto dropped = cheapest[k].item<int64_t>();
      at::Tensor gains = at::zeros({consumers[0].kernel.size(0)}, at::kDouble);
      for (const auto& part : parts) gains += part.gains_without(dropped);
      gains.index_fill_(0, index, -1);
      std::vector<int64_t> tried = nodes;
      tried[static_cast<size_t>(dropped)] = gains.argmax().item<int64_t>();
      const double gained = gains.max().item<double>() - costs[dropped].item<double>();
      if (gained <= error * kWorthwhile) continue;
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
  // "best" of a very wide group is the run of the fewer steps: the two differ less the wider a group is.
  bool forward = options.choice != NodeChoice::backward, backward = !forward;
  if (options.choice == NodeChoice::best) {
    backward = n <= kVeryWideGroup || 2 * count >= n;
    forward = n <= kVeryWideGroup || !backward;
  }
  std::vector<int64_t> nodes;
  if (forward) nodes = forward_nodes(parts, count);
  if (backward) {
    auto others = backward_nodes(parts, count);
    if (nodes.empty() || error_left(parts, others) < error_left(parts, nodes)) nodes = std::move(others);
  }
  // Each exchange is Θ(n³): wide groups get fewer and very wide ones none, so that the choice stays a matter of
  // seconds.
  const int64_t wide = std::max<int64_t>(n, kWideGroup);
  if (n <= kVeryWideGroup)
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
  double error = 0;
  if (options.choice == NodeChoice::greedy || options.choice == NodeChoice::cholesky) {
    auto run = Elimination::forward(parts);
    std::vector<double> taken;
    for (int64_t k = 0; k < n; ++k) {
      const auto [channel, worth] = run.most();
      ranking.nodes.push_back(channel);
      taken.push_back(worth);
    }
    // The error of some nodes is what those after them take.
    for (int64_t k = n; k >= 1; --k) {
      ranking.errors.push_back(error);
      error += taken[static_cast<size_t>(k - 1)];
    }
  } else {
    auto run = Elimination::backward(parts);
    for (int64_t k = n; k >= 1; --k) {
      ranking.errors.push_back(error);
      const auto [channel, worth] = run.least();
      ranking.nodes.push_back(channel);
      error += worth;
    }
    std::reverse(ranking.nodes.begin(), ranking.nodes.end());
  }
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

double weights_error(const std::vector<ConsumerKernel>& given, const std::vector<int64_t>& nodes,
                     const AxisMap& weights) {
  const at::Tensor index = at::tensor(nodes);
  const at::Tensor map = weights.to_dense();
  double sum = 0;
  for (const auto& consumer : between_channels(given)) {
    const at::Tensor kernel = consumer.kernel.to(at::kDouble), gram = consumer.gram.to(at::kDouble);
    const double energy = (gram * kernel).sum().item<double>();
    const at::Tensor rows = kernel.index_select(0, index), mapped = at::mm(map, gram);
    // tr(M·(1 − Pᵀ·S)·K·(1 − Sᵀ·P)), S the selection and P the map.
    const double left = energy - 2 * (mapped * rows).sum().item<double>() +
                        (at::mm(mapped, map.t()) * rows.index_select(1, index)).sum().item<double>();
    if (energy > 0) sum += consumer.weight * left / energy;
  }
  return sum;
}

ValidatedNodes choose_validated(const std::vector<ConsumerKernel>& consumers,
                                const std::vector<ConsumerKernel>& held_out, int64_t count,
                                const NodeOptions& options, const std::vector<double>& ridges) {
  require(!ridges.empty() && std::is_sorted(ridges.begin(), ridges.end()), "data_quadrature",
          "Nodes: ridges must be given, in ascending order.");
  const auto nodes = choose_nodes(consumers, count, options);
  const auto with = [&](size_t index) {
    AxisMap weights = kernel_weights(consumers, nodes, ridges[index]);
    const double error = weights_error(held_out, nodes, weights);
    return ValidatedNodes{nodes, std::move(weights), ridges[index], error};
  };
  // The error falls and then rises with the ridge: from the middle up, or if that does not help, down.
  const size_t middle = ridges.size() / 2;
  ValidatedNodes best = with(middle);
  const auto better = [&](size_t index) {
    ValidatedNodes other = with(index);
    if (!(other.error < best.error)) return false;
    best = std::move(other);
    return true;
  };
  bool rises = false;
  for (size_t k = middle + 1; k < ridges.size() && better(k); ++k) rises = true;
  for (size_t k = middle; !rises && k > 0 && better(k - 1); --k) continue;
  return best;
}

}  // namespace inn
