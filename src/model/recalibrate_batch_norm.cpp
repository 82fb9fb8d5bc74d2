#include <ATen/ATen.h>
#include <ATen/core/function_schema.h>
#include <ATen/core/grad_mode.h>

#include <map>

#include "inn/core/error.h"
#include "inn/core/ranks.h"
#include "inn/model/batch_norm.h"
#include "inn/network/batch_norm.h"
#include "inn/network/value_uses.h"

namespace inn {
namespace {

/// Running mean and sum of squared deviations per channel. float64.
struct Spread {
  int64_t count = 0;
  at::Tensor mean, squares;

  /// Adds `more` numbers per channel with this mean and unbiased variance (Chan, Golub and LeVeque, "Updating
  /// formulae and a pairwise algorithm for computing sample variances", 1979, eq. 2.1).
  void add(int64_t more, const at::Tensor& its_mean, const at::Tensor& its_variance) {
    // A copy: the next batch writes where this one's mean stands.
    const auto other = its_mean.to(at::kDouble, /*non_blocking=*/false, /*copy=*/true);
    // Of one number torch gives no variance.
    const auto deviations =
        more > 1 ? its_variance.to(at::kDouble) * static_cast<double>(more - 1) : at::zeros_like(other);
    if (count == 0) {
      mean = other;
      squares = deviations;
    } else {
      const auto all = static_cast<double>(count + more);
      const auto between = other - mean;
      squares = squares + deviations +
                between.square() * (static_cast<double>(count) * static_cast<double>(more) / all);
      mean = mean + between * (static_cast<double>(more) / all);
    }
    count += more;
  }
};

/// Measures the statistics of a network's batch norms, and writes them at the end.
class Recalibration {
 public:
  explicit Recalibration(Network& network) : network_(network), measured_(network) {
    measured_.set_training(false);
    for (const auto& call : measured_.calls) refuse_unmeasurable(call);
    const ValueUses uses(measured_);
    for (auto& call : measured_.calls) {
      const auto norm = batch_norm_call(call);
      if (!norm || !norm->has_running_statistics()) continue;
      for (size_t r = 1; r < call.results.size(); ++r)
        for (const auto id : call.results[r].values)
          if (uses.is_output(id) || !uses.readers(id).empty())
            refuse(call, "its saved statistics are used elsewhere");
      const size_t mean = state_of(call, norm->running_mean), variance = state_of(call, norm->running_var);
      const ValueId mean_of_batch = add_statistic(mean), variance_of_batch = add_statistic(variance);
      norms_.push_back({norm->input.value(), mean, variance, measured_.state.size() - 2});
      call = batch_norm_in_training(call, mean_of_batch, variance_of_batch);
    }
  }

  bool has_norms() const { return !norms_.empty(); }

  void add(const std::vector<c10::IValue>& batch) {
    std::map<ValueId, int64_t> counts;
    for (const auto& norm : norms_) counts[norm.input] = 0;
    measured_.forward(batch, measured_.tensors(), {.observe = [&](ValueId id, const at::Tensor& tensor) {
                        if (const auto found = counts.find(id); found != counts.end())
                          found->second = tensor.numel() / tensor.size(1);
                      }});
    for (const auto& norm : norms_)
      if (const int64_t count = counts[norm.input]; count > 0)
        spreads_[{norm.mean, norm.variance}].add(count, measured_.state[norm.of_batch].tensor,
                                                 measured_.state[norm.of_batch + 1].tensor);
  }

  void sum_over_ranks() {
    if (ranks().count == 1) return;
    for (auto& [states, spread] : spreads_) {
      const at::Tensor counts = of_every_rank(at::full({1}, spread.count, at::kLong)),
                       means = of_every_rank(spread.mean), squares = of_every_rank(spread.squares);
      spread = {};
      for (int64_t r = 0; r < ranks().count; ++r) {
        const auto count = counts[r].item<int64_t>();
        spread.add(count, means[r], squares[r] / static_cast<double>(std::max<int64_t>(1, count - 1)));
      }
    }
  }

  void write() {
    for (const auto& [states, spread] : spreads_) {
      const auto& name = network_.state[states.second].name;
      require(spread.count > 1, "model",
              "Recalibration: '{}' requires at least 2 values per channel but got {}.", name, spread.count);
    }
    for (const auto& [states, spread] : spreads_) {
      network_.state[states.first].tensor.copy_(spread.mean);
      network_.state[states.second].tensor.copy_(spread.squares / static_cast<double>(spread.count - 1));
    }
  }

 private:
  struct Norm {
    ValueId input;
    size_t mean, variance;  // of the network's state
    size_t of_batch;        // of measured_'s state: the batch's mean, behind it the variance
  };

  [[noreturn]] static void refuse(const Call& call, const std::string& why) {
    raise("model", "Recalibration: the running statistics of '{}' in module '{}' cannot be measured: {}.",
          call.qualified_name(), call.module, why);
  }

  /// Anything else that holds running statistics (instance norm) would silently keep those that it has.
  static void refuse_unmeasurable(const Call& call) {
    if (is_batch_norm(call)) return;
    const auto place = find_schema(call.op, call.overload).argumentIndexWithName("running_mean");
    if (place && call.arguments.at(static_cast<size_t>(*place)).is_value())
      refuse(call, "it is not a batch norm");
  }

  size_t state_of(const Call& call, const Argument& statistic) const {
    const auto state = measured_.state_of(statistic.value());
    if (!state) refuse(call, "they are computed");
    return *state;
  }

  /// Returns the value of a new tensor like that one, so that the network's own stay until all is measured.
  ValueId add_statistic(size_t like) {
    const auto& entry = measured_.state[like];
    Value value = measured_.values[static_cast<size_t>(entry.value)];
    value.name += fmt::format("_of_batch_{}", measured_.state.size());
    StateEntry added{.name = fmt::format("{}.of_batch_{}", entry.name, measured_.state.size()),
                     .kind = StateEntry::Kind::buffer,
                     .value = measured_.add_value(std::move(value)),
                     .tensor = at::zeros_like(entry.tensor)};
    measured_.state.push_back(std::move(added));
    return measured_.state.back().value;
  }

  Network& network_;
  Network measured_;  // shares the network's other tensors
  std::vector<Norm> norms_;
  std::map<std::pair<size_t, size_t>, Spread> spreads_;  // by the states that they are for
};

}  // namespace

void recalibrate_batch_norm(Network& network,
                            const std::function<std::optional<std::vector<c10::IValue>>()>& next_batch) {
  const at::NoGradGuard no_grad;
  Recalibration recalibration(network);
  if (!recalibration.has_norms()) return;
  int64_t count = 0;
  for (auto batch = next_batch(); batch; batch = next_batch(), ++count) recalibration.add(*batch);
  require(count > 0, "model", "Recalibration: at least one batch is required but there is none.");
  recalibration.sum_over_ranks();
  recalibration.write();
}

}  // namespace inn
