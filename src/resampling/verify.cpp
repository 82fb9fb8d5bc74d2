#include "inn/resampling/verify.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <set>

#include "inn/core/error.h"
#include "inn/grid/grid.h"
#include "inn/network/training_arguments.h"
#include "inn/resampling/maps.h"
#include "inn/resampling/verify_sizes.h"
#include "suffix_runs.h"

namespace inn {
namespace {

/// The floating outputs as one vector.
at::Tensor flat(const std::vector<at::Tensor>& outputs) {
  std::vector<at::Tensor> parts;
  for (const auto& tensor : outputs) {
    if (tensor.is_floating_point()) parts.push_back(tensor.flatten().to(at::kDouble));
    if (tensor.is_complex())
      parts.push_back(at::view_as_real(tensor.resolve_conj()).flatten().to(at::kDouble));
  }
  require(!parts.empty(), "resampling", "The network must return a floating-point tensor to compare.");
  return at::cat(parts);
}

double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const double scale = std::max(b.abs().max().item<double>(), 1e-300);
  return (a - b).abs().max().item<double>() / scale;
}

/// Returns random tensors in place of all floating-point ones: gains and variances around 1, the others scaled
/// so that signals keep their magnitude.
std::vector<at::Tensor> redrawn(const Network& network, const Groups& groups, uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  auto tensors = network.tensors();
  for (size_t s = 0; s < tensors.size(); ++s) {
    at::Tensor& tensor = tensors[s];
    const bool is_number = tensor.is_floating_point() || tensor.is_complex();
    if (!is_number || network.state[s].kind == StateEntry::Kind::constant) continue;
    const auto options = tensor.options().requires_grad(false);
    const auto sizes = tensor.sizes().vec();
    if (groups.bounded[s]) {
      tensor = at::rand(sizes, generator, options).add_(0.5);
    } else {
      const int64_t inputs = sizes.size() > 1 ? tensor.numel() / std::max<int64_t>(1, sizes[0]) : 1;
      tensor = at::randn(sizes, generator, options);
      if (sizes.size() > 1)
        tensor.div_(std::sqrt(static_cast<double>(std::max<int64_t>(1, inputs))));
      else
        tensor.mul_(0.3).add_(1);
    }
  }
  return tensors;
}

GroupMaps permutation_of(int64_t width, at::Generator& generator) {
  const auto drawn = at::randperm(width, generator, at::TensorOptions(at::kLong));
  std::vector<int64_t> order(drawn.const_data_ptr<int64_t>(), drawn.const_data_ptr<int64_t>() + width);
  if (width > 1 && std::is_sorted(order.begin(), order.end())) std::swap(order.front(), order.back());
  return selection_maps(width, order);
}

// A few roundings of float64, the largest amplification of them at which verification is
// possible, and how often the weights may be halved to get below it.
constexpr double kRounding = 1e-14, kMostAmplified = 1e4;
constexpr int kMostHalvings = 3;

class Verifier {
 public:
  Verifier(const AnalysedNetwork& source, const VerifyOptions& options)
      : source_(source),
        options_(options),
        generator_(at::detail::createCPUGenerator(options.seed)),
        tensors_(options.redraw ? redrawn(source.network, source.groups, options.seed)
                                : source.network.tensors()) {
    // The state stays in its own dtype: a run makes each tensor of it as it comes to it.
    for (auto& entry : source_.network.state)
      entry.tensor = at::empty({0}, entry.tensor.options().requires_grad(false));
    source_.network.to(at::kDouble);
    for (const auto& entry : source_.network.state) dtypes_.push_back(entry.tensor.scalar_type());
    turn_off_dropout(source_.network);
    runs_.emplace(source_, random_inputs(source_.network, options.seed),
                  [this](size_t s) { return tensor(s); });
    expected_ = run({});
    for (int halved = 0; options.redraw && halved < kMostHalvings && amplifies_rounding(); ++halved) {
      gain_ /= 2;
      expected_ = run({});
    }
  }

  /// Verifies groups in the order of their first calls: earlier calls are not run again.
  GroupVerification verify(GroupId id) {
    runs_->advance(first_call(id));
    const auto& group = source_.groups.groups[id];
    return verify({.group = id, .name = group.name, .width = group.width}, {id});
  }

  size_t first_call(GroupId id) const { return runs_->first_call(id); }

  GroupVerification verify_together() {
    return verify({.group = 0, .name = "all groups", .width = 0}, source_.groups.select({}));
  }

 private:
  GroupVerification verify(GroupVerification verification, const std::vector<GroupId>& ids) {
    try {
      permute(ids, verification);
      change_width(ids, verification);
    } catch (const std::exception& error) {
      verification.failure = error.what();
    }
    return verification;
  }

  at::Tensor run(const std::map<GroupId, GroupMaps>& maps) const { return flat(runs_->run(maps)); }

  /// State tensor s as a run reads it.
  at::Tensor tensor(size_t s) const {
    const at::Tensor own = tensors_[s].to(dtypes_[s]);
    const bool is_drawn = options_.redraw && (own.is_floating_point() || own.is_complex()) && own.dim() > 1 &&
                          source_.network.state[s].kind != StateEntry::Kind::constant;
    if (!is_drawn || (gain_ == 1 && disturbance_ == 0)) return own;
    // Different from slice to slice, so that no normalization cancels it.
    std::vector<int64_t> sizes(static_cast<size_t>(own.dim()), 1);
    sizes[0] = own.size(0);
    const auto slices =
        at::linspace(-1, 1, own.size(0), own.options().dtype(c10::toRealValueType(own.scalar_type())));
    return own * (gain_ + disturbance_ * slices.view(sizes));
  }

  /// Whether the network amplifies rounding so much that its outputs cannot be compared, as products of
  /// activations in many layers do.
  bool amplifies_rounding() {
    disturbance_ = kRounding * gain_;
    const auto disturbed = run({});
    disturbance_ = 0;
    return !(relative_difference(disturbed, expected_) <= kMostAmplified * kRounding);
  }

  void permute(const std::vector<GroupId>& ids, GroupVerification& verification) {
    std::map<GroupId, GroupMaps> both, producers;
    for (const auto id : ids) {
      const int64_t width = source_.groups.groups[id].width;
      if (width < 2) continue;
      const GroupMaps maps = permutation_of(width, generator_);
      producers.emplace(id, GroupMaps{maps.produce, AxisMap::identity(width)});
      both.emplace(id, maps);
    }
    if (both.empty()) return;
    verification.permutation_error = relative_difference(run(both), expected_);
    verification.producer_effect = relative_difference(run(producers), expected_);
    if (!(verification.permutation_error <= options_.tolerance))
      verification.failure =
          fmt::format("permuting its channels changes the outputs by {:.2g}", verification.permutation_error);
  }

  void change_width(const std::vector<GroupId>& ids, GroupVerification& verification) {
    const std::vector<std::function<int64_t(int64_t)>> changes{
        [](int64_t) { return int64_t{1}; }, [](int64_t n) { return std::max<int64_t>(1, n / 2); },
        [](int64_t n) { return 2 * n; }};
    std::set<int64_t> tried;
    for (const auto& change : changes) {
      const int64_t shown = change(verification.width);
      if (ids.size() == 1 && !tried.insert(shown).second) continue;
      std::map<GroupId, GroupMaps> maps;
      for (const auto id : ids) {
        const int64_t width = source_.groups.groups[id].width;
        maps.emplace(id, interpolation_maps(width, uniform_points(change(width)), find_kernel("linear"),
                                            find_quadrature("rectangle")));
      }
      const auto outputs = run(maps);
      if (outputs.sizes() != expected_.sizes() && verification.failure.empty())
        verification.failure = fmt::format("at width {} the sizes of the outputs change", shown);
      verification.widths.push_back(shown);
    }
  }

  AnalysedNetwork source_;
  const VerifyOptions& options_;
  at::Generator generator_;
  std::vector<at::Tensor> tensors_;      // the state, in its own dtypes
  double gain_ = 1;                      // of the drawn weights
  double disturbance_ = 0;               // relative, of the drawn weights
  std::vector<c10::ScalarType> dtypes_;  // those it is run in
  std::optional<SuffixRuns> runs_;
  at::Tensor expected_;
};

}  // namespace

std::vector<c10::IValue> random_inputs(const Network& network, uint64_t seed) {
  std::vector<std::vector<int64_t>> sizes;
  for (const auto id : network.inputs) sizes.push_back(network.values[id].sizes);
  return random_inputs(network, sizes, seed);
}

std::vector<GroupVerification> verify_groups(const AnalysedNetwork& source, const VerifyOptions& options) {
  at::NoGradGuard no_grad;
  Verifier verification(source, options);
  return verify_in_order_of_calls(verification, source, options);
}

GroupVerification verify_together(const AnalysedNetwork& source, const VerifyOptions& options) {
  at::NoGradGuard no_grad;
  return Verifier(source, options).verify_together();
}

}  // namespace inn
