#include "inn/depth/cut_depth.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "inn/core/error.h"
#include "inn/network/eliminate_dead_code.h"
#include "inn/network/value_uses.h"

namespace inn {
namespace {

/// A block by its chain and its place in it.
struct Place {
  size_t chain, block;
  auto operator<=>(const Place&) const = default;
};

class DepthCutter {
 public:
  DepthCutter(const AnalysedNetwork& source, const std::map<std::string, int64_t>& depths,
              const Calibration& calibration, const CutDepthOptions& options)
      : source_(source),
        groups_(find_depth_groups(source.network)),
        calibration_(calibration),
        options_(options) {
    source_.network.set_training(false);
    for (const auto& [name, depth] : depths) {
      const auto& group = find_depth_group(groups_, name);
      const auto count = static_cast<int64_t>(group.blocks.size());
      require(depth >= 1 && depth <= count, "depth", "Chain '{}': its depth must be from 1 to {} but got {}.",
              name, count, depth);
      surplus_[static_cast<size_t>(&group - groups_.data())] = count - depth;
    }
    require(options.choice == "error" || options.choice == "similarity", "depth",
            "Choice '{}': must be error or similarity.", options.choice);
    read_batches();
  }

  CutDepth cut() {
    if (options_.choice == "error") {
      choose_by_error();
    } else {
      choose_by_similarity();
    }
    CutDepth made;
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (!surplus_.contains(g)) continue;
      const auto count = static_cast<int64_t>(groups_[g].blocks.size());
      CutDepth::Chain chain{groups_[g].name, count, count, {}};
      for (const auto& place : removed_)
        if (place.chain == g) chain.removed.push_back(groups_[g].blocks[place.block].name);
      chain.after -= static_cast<int64_t>(chain.removed.size());
      made.chains.push_back(std::move(chain));
    }
    made.network = bypass(source_.network, blocks(removed_)).clone();
    made.error_before = made.error_after = error_of(made.network);
    if (options_.refit && !removed_.empty()) {
      made.layers = refit(made.network, source_, {}, calibration_,
                          {.seed = options_.seed, .targets = targets(), .progress = options_.refit_progress});
      made.error_after = error_of(made.network);
    }
    eliminate_dead_code(made.network);
    // Parameters that nothing read in the source stay.
    const ValueUses uses(made.network), before(source_.network);
    std::erase_if(made.network.state, [&](const StateEntry& entry) {
      return uses.readers(entry.value).empty() && !uses.is_output(entry.value) &&
             !before.readers(entry.value).empty();
    });
    made.network.validate();
    return made;
  }

 private:
  void read_batches() {
    const at::NoGradGuard no_grad;
    int64_t samples = 0;
    for (int64_t b = 0; samples < options_.choosing_samples; ++b) {
      auto batch = calibration_.batch(b);
      if (!batch) break;
      require(!batch->inputs.empty() && batch->inputs[0].isTensor(), "depth",
              "Calibration data: a batch must begin with a tensor.");
      samples += std::max<int64_t>(
          1, batch->inputs[0].toTensor().dim() > 0 ? batch->inputs[0].toTensor().size(0) : 1);
      wanted_.push_back(outputs_of(source_.network, *batch));
      batches_.push_back(std::move(*batch));
    }
    require(!batches_.empty(), "depth", "Calibration data: there must be at least one batch.");
    require(!wanted_[0].empty(), "depth", "The network must have an output of floating-point numbers.");
  }

  static std::vector<at::Tensor> outputs_of(const Network& network, const CalibrationBatch& batch) {
    std::vector<at::Tensor> found;
    for (const auto& output : network.forward(batch.inputs))
      if (output.isTensor() && output.toTensor().is_floating_point()) found.push_back(output.toTensor());
    return found;
  }

  double error_of(const Network& network) const {
    const at::NoGradGuard no_grad;
    std::vector<double> errors(wanted_[0].size(), 0), squares(errors);
    for (size_t b = 0; b < batches_.size(); ++b) {
      const auto found = outputs_of(network, batches_[b]);
      for (size_t k = 0; k < errors.size(); ++k) {
        errors[k] += (found[k] - wanted_[b][k]).square().sum(at::kDouble).item<double>();
        squares[k] += wanted_[b][k].square().sum(at::kDouble).item<double>();
      }
    }
    double sum = 0;
    for (size_t k = 0; k < errors.size(); ++k) sum += squares[k] > 0 ? errors[k] / squares[k] : 0;
    return std::isfinite(sum) ? sum : std::numeric_limits<double>::infinity();
  }

  std::vector<ResidualBlock> blocks(const std::set<Place>& places) const {
    std::vector<ResidualBlock> found;
    for (const auto& place : places) found.push_back(groups_[place.chain].blocks[place.block]);
    return found;
  }

  void choose_by_error() {
    int64_t left = 0, done = 0, all = 0;
    for (const auto& [g, surplus] : surplus_) left += surplus;
    int64_t candidates = 0;
    for (const auto& [g, surplus] : surplus_)
      if (surplus > 0) candidates += static_cast<int64_t>(groups_[g].blocks.size());
    for (int64_t k = 0; k < left; ++k) all += candidates - k;
    for (; left > 0; --left) {
      std::optional<Place> best;
      double least = std::numeric_limits<double>::infinity();
      for (const auto& [g, surplus] : surplus_) {
        if (surplus == 0) continue;
        for (size_t k = 0; k < groups_[g].blocks.size(); ++k) {
          if (removed_.contains({g, k})) continue;
          auto tried = removed_;
          tried.insert({g, k});
          const double error = error_of(bypass(source_.network, blocks(tried)));
          if (!best || error < least) best = Place{g, k}, least = error;
          if (options_.choice_progress)
            options_.choice_progress(std::min(++done, all), all, groups_[g].blocks[k].name);
        }
      }
      removed_.insert(*best);
      --surplus_[best->chain];
    }
  }

  void choose_by_similarity() {
    const at::NoGradGuard no_grad;
    std::map<Place, double> similarity;
    for (const auto& batch : batches_) {
      std::map<ValueId, at::Tensor> stream;
      for (const auto& [g, surplus] : surplus_)
        for (const auto& block : groups_[g].blocks) stream[block.input] = stream[block.output] = at::Tensor();
      source_.network.forward(batch.inputs, source_.network.tensors(),
                              {.observe = [&](ValueId id, const at::Tensor& tensor) {
                                if (const auto found = stream.find(id); found != stream.end())
                                  found->second = tensor.clone();
                              }});
      for (const auto& [g, surplus] : surplus_)
        for (size_t k = 0; k < groups_[g].blocks.size(); ++k) {
          const auto &a = stream.at(groups_[g].blocks[k].input), &b = stream.at(groups_[g].blocks[k].output);
          const int64_t channels = a.dim() == 4 ? 1 : -1;
          similarity[{g, k}] += at::cosine_similarity(a, b, channels).mean().item<double>();
        }
    }
    for (const auto& [g, surplus] : surplus_) {
      std::vector<size_t> order(groups_[g].blocks.size());
      for (size_t k = 0; k < order.size(); ++k) order[k] = k;
      std::stable_sort(order.begin(), order.end(), [&, g = g](size_t a, size_t b) {
        return similarity.at({g, a}) > similarity.at({g, b});
      });
      for (int64_t k = 0; k < surplus; ++k) removed_.insert({g, order[static_cast<size_t>(k)]});
    }
  }

  /// The value before each gap, and the source's behind it.
  std::map<ValueId, ValueId> targets() const {
    std::map<ValueId, ValueId> found;
    for (size_t g = 0; g < groups_.size(); ++g) {
      const auto& chain = groups_[g].blocks;
      for (size_t k = 0; k < chain.size(); ++k) {
        if (!removed_.contains({g, k})) continue;
        const ValueId before = chain[k].input;
        while (k + 1 < chain.size() && removed_.contains({g, k + 1})) ++k;
        found[before] = chain[k].output;
      }
    }
    return found;
  }

  AnalysedNetwork source_;  // in evaluation mode
  std::vector<DepthGroup> groups_;
  std::map<size_t, int64_t> surplus_;  // by chain: blocks that are still to go
  const Calibration& calibration_;
  const CutDepthOptions& options_;
  std::vector<CalibrationBatch> batches_;
  std::vector<std::vector<at::Tensor>> wanted_;  // by batch and output
  std::set<Place> removed_;
};

}  // namespace

CutDepth cut_depth(const AnalysedNetwork& source, const std::map<std::string, int64_t>& depths,
                   const Calibration& calibration, const CutDepthOptions& options) {
  return DepthCutter(source, depths, calibration, options).cut();
}

}  // namespace inn
