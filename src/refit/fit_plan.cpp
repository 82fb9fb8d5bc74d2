#include "fit_plan.h"

#include <algorithm>
#include <set>

#include "inn/network/batch_norm.h"

namespace inn {
namespace {

// Of all blocks' outputs together, in a joint fit of the whole network, where each of its outputs has 1.
constexpr double kBlocksWeight = 3;

/// Where a value is read.
struct Readers {
  std::vector<size_t> calls;
  bool is_output = false;
};

/// What the plan knows of each value.
class FitPlanner {
 public:
  FitPlanner(const Network& network, const Groups& groups, const std::map<GroupId, GroupMaps>& maps,
             bool only_readers, const std::map<ValueId, ValueId>& moved)
      : only_readers_(only_readers),
        moved_(moved),
        network_(network),
        groups_(groups),
        maps_(maps),
        readers_(network.values.size()),
        made_by_(network.values.size(), -1),
        changed_(network.values.size(), false),
        read_(network.values.size(), false),
        linear_(linear_calls(network)) {
    find_read();
    for (size_t c = 0; c < network.calls.size(); ++c) {
      if (!is_read(c)) continue;
      for (const auto& argument : network.calls[c].arguments)
        argument.for_each_value([&](ValueId id) {
          auto& calls = readers_[static_cast<size_t>(id)].calls;
          if (calls.empty() || calls.back() != c) calls.push_back(c);
        });
      for (const auto& result : network.calls[c].results)
        for (const auto id : result.values) made_by_[static_cast<size_t>(id)] = static_cast<int64_t>(c);
    }
    for (const auto& output : network.outputs)
      output.for_each_value([&](ValueId id) { readers_[static_cast<size_t>(id)].is_output = true; });
    for (size_t s = 0; s < network.state.size(); ++s)
      changed_[static_cast<size_t>(network.state[s].value)] = is_mapped(s);
  }

  FitPlan make() {
    find_changes();
    for (size_t c = 0; c < network_.calls.size(); ++c) plan(c);
    std::set<size_t> inner;  // layers that a block goes through
    for (size_t c = 0; c < network_.calls.size(); ++c)
      if (auto block = inner.contains(c) ? std::nullopt : block_from(c)) {
        for (const auto& layer : block->layers) inner.insert(layer.linear.call);
        inner.erase(block->layers.back().linear.call);
        add_block(std::move(*block));
      }
    std::stable_sort(plan_.blocks.begin(), plan_.blocks.end(), [](const JointFit& a, const JointFit& b) {
      return a.layers.back().linear.call < b.layers.back().linear.call;
    });
    plan_whole();
    return std::move(plan_);
  }

 private:
  bool is_mapped(size_t state) const {
    for (size_t d = 0; d < groups_.axes.at(state).size(); ++d)
      if (!axis_map(groups_, state, static_cast<int64_t>(d), maps_).is_identity()) return true;
    return false;
  }

  /// What the outputs depend on, and calls that write into an argument.
  void find_read() {
    const auto mark = [&](ValueId id) { read_[static_cast<size_t>(id)] = true; };
    for (const auto& output : network_.outputs) output.for_each_value(mark);
    for (size_t c = network_.calls.size(); c-- > 0;)
      if (is_read(c))
        for (const auto& argument : network_.calls[c].arguments) argument.for_each_value(mark);
  }

  bool is_read(size_t c) const {
    if (network_.calls[c].op.ends_with('_')) return true;
    for (const auto& result : network_.calls[c].results)
      for (const auto id : result.values)
        if (read_[static_cast<size_t>(id)]) return true;
    return false;
  }

  bool changed(ValueId id) const { return changed_[static_cast<size_t>(id)]; }

  void find_changes() {
    for (const auto& call : network_.calls) {
      bool any = false;
      for (const auto& argument : call.arguments)
        argument.for_each_value([&](ValueId id) { any = any || changed(id); });
      for (const auto& result : call.results)
        for (const auto id : result.values) changed_[static_cast<size_t>(id)] = any || moved_.contains(id);
    }
  }

  void plan(size_t c) {
    if (!is_read(c)) return;
    if (const auto* found = std::get_if<LinearCall>(&linear_[c])) {
      if (auto fit = fit_of(*found)) plan_.fits.push_back(std::move(*fit));
    } else if (const auto* reason = std::get_if<std::string>(&linear_[c]); reason && touched(c)) {
      plan_.skipped.push_back({network_.calls[c].module, *reason});
    }
  }

  bool touched(size_t c) const {
    for (const auto& result : network_.calls[c].results)
      for (const auto id : result.values)
        if (changed(id)) return true;
    return false;
  }

  /// The fit of the layer, if a change reaches it.
  std::optional<Fit> fit_of(const LinearCall& linear) const {
    Fit fit = fit_of_any(linear);
    const bool reads = !axis_map(groups_, linear.weight, linear.input_axis(), maps_).is_identity();
    fit.is_cut = reads;
    if (only_readers_) return reads ? std::optional(std::move(fit)) : std::nullopt;
    const bool by_input = reads || changed(linear.input);
    const bool by_sum =
        fit.residual && (changed(fit.residual->partner) || fit.residual->target != fit.residual->sum);
    if (!by_input && !by_sum) return {};
    return fit;
  }

  Fit fit_of_any(const LinearCall& linear) const {
    Fit fit{linear, {}, {}, axis_map(groups_, linear.weight, linear.output_axis(), maps_)};
    if (linear.kind != LinearCall::Kind::linear && linear.input_first)
      fit.outputs = grouped_outputs(linear, fit.outputs);
    ValueId output = linear.output;
    if (const auto next = only_reader(output); next && is_channel_norm(*next, output)) {
      fit.norm = norm_of(*next);
      output = network_.calls[*next].results[0].values[0];
    }
    while (const auto next = only_reader(output)) {
      if (!is_nothing(*next)) break;
      output = network_.calls[*next].results[0].values[0];
    }
    fit.residual = residual_of(linear, output);
    return fit;
  }

  /// The block that begins with this call, where its outputs were cut and only one other layer reads them.
  std::optional<JointFit> block_from(size_t c) const {
    const auto* first = std::get_if<LinearCall>(&linear_[c]);
    if (!first || axis_map(groups_, first->weight, first->output_axis(), maps_).is_identity()) return {};
    JointFit block{{fit_of_any(*first)}, {}};
    const LinearCall* last = first;
    while (last == first || passes_on_cut_channels(*last)) {
      const auto* next = only_layer_behind(last->output);
      if (!next) break;
      block.layers.push_back(fit_of_any(*next));
      last = next;
    }
    if (last == first) return {};
    block.targets.push_back(target_of(block.layers.back()));
    return block;
  }

  /// Blocks that end in the same layer are one: the two branches of a gated MLP.
  void add_block(JointFit block) {
    const auto call = [](const Fit& fit) { return fit.linear.call; };
    const auto last = call(block.layers.back());
    const auto same = std::find_if(plan_.blocks.begin(), plan_.blocks.end(),
                                   [&](const JointFit& other) { return call(other.layers.back()) == last; });
    if (same == plan_.blocks.end()) {
      plan_.blocks.push_back(std::move(block));
      return;
    }
    block.layers.pop_back();
    same->layers.insert(same->layers.end(), block.layers.begin(), block.layers.end());
    std::sort(same->layers.begin(), same->layers.end(),
              [&](const Fit& a, const Fit& b) { return call(a) < call(b); });
  }

  /// A depthwise convolution of channels that were cut: what they are for is seen behind it.
  bool passes_on_cut_channels(const LinearCall& linear) const {
    return linear.kind == LinearCall::Kind::convolution &&
           network_.state[linear.weight].tensor.size(1) == 1 &&
           !axis_map(groups_, linear.weight, linear.output_axis(), maps_).is_identity();
  }

  /// What a layer is to give: behind its norm, and added to the other summand.
  Target target_of(const Fit& fit) const {
    ValueId value = fit.linear.output;
    if (fit.residual) {
      value = fit.residual->sum;
    } else if (fit.norm) {
      value = network_.calls[fit.norm->call].results[0].values[0];
    }
    const auto next = only_reader(value);
    const bool before_relu =
        next && (network_.calls[*next].op == "aten::relu" || network_.calls[*next].op == "aten::relu_");
    return {value, fit.outputs, fit.linear.kind == LinearCall::Kind::linear ? -1 : 1, before_relu};
  }

  void plan_whole() {
    auto& [layers, targets] = plan_.whole;
    for (size_t c = 0; c < network_.calls.size(); ++c)
      if (const auto* linear = std::get_if<LinearCall>(&linear_[c]); linear && touched(c))
        layers.push_back(fit_of_any(*linear));
    const auto add = [&](Target target) {
      for (const auto& other : targets)
        if (other.value == target.value) return;
      targets.push_back(std::move(target));
    };
    for (const auto& block : plan_.blocks) add(block.targets[0]);
    for (const auto& fit : layers)
      if (fit.residual) add(target_of(fit));
    for (auto& target : targets) target.weight = kBlocksWeight / static_cast<double>(targets.size());
    for (const auto& output : network_.outputs)
      output.for_each_value([&](ValueId id) {
        const auto& value = network_.values[static_cast<size_t>(id)];
        if (changed(id) && value.sizes.size() > 0 && at::isFloatingType(value.dtype)) add({id, {}, 0, false});
      });
  }

  /// The one linear call by which everything goes that depends on the value.
  const LinearCall* only_layer_behind(ValueId value) const {
    std::set<size_t> open;  // calls that depend on the value, in order
    const auto reach = [&](ValueId id) {
      const auto& readers = readers_[static_cast<size_t>(id)];
      open.insert(readers.calls.begin(), readers.calls.end());
      return !readers.is_output;
    };
    if (!reach(value)) return nullptr;
    const LinearCall* found = nullptr;
    while (!open.empty()) {
      const size_t c = open.extract(open.begin()).value();
      if (found) return nullptr;
      if (const auto* linear = std::get_if<LinearCall>(&linear_[c])) {
        found = linear;
        continue;
      }
      for (const auto& result : network_.calls[c].results)
        for (const auto id : result.values)
          if (!reach(id)) return nullptr;
    }
    return found;
  }

  /// Of a grouped transposed convolution, whose weight has the outputs of one group only, the outputs are
  /// found by the value that it gives.
  AxisMap grouped_outputs(const LinearCall& linear, const AxisMap& of_weight) const {
    const auto& axes = groups_.value_axes.at(static_cast<size_t>(linear.output));
    const int64_t channels = axes.at(1).size;
    return channels % of_weight.cols() == 0 ? of_weight.expand(channels / of_weight.cols(), 1) : of_weight;
  }

  std::optional<size_t> only_reader(ValueId id) const {
    const auto& readers = readers_[static_cast<size_t>(id)];
    if (readers.is_output || readers.calls.size() != 1) return {};
    return readers.calls[0];
  }

  Fit::Norm norm_of(size_t c) const {
    const auto call = batch_norm_call(network_.calls[c]).value();
    Fit::Norm norm{c, *network_.state_of(call.running_mean.value()), {}};
    if (call.bias.is_value()) norm.shift = network_.state_of(call.bias.value());
    return norm;
  }

  /// Whether it is an affine map of the channels of `input` with its own parameters.
  bool is_channel_norm(size_t c, ValueId input) const {
    const auto norm = batch_norm_call(network_.calls[c]);
    if (!norm || !norm->has_running_statistics()) return false;
    if (norm->uses_batch && !norm->follows_mode) return false;
    if (!norm->input.is_value() || norm->input.value() != input) return false;
    for (const auto* argument : {&norm->weight, &norm->bias, &norm->running_mean, &norm->running_var}) {
      if (argument->is_none()) continue;
      if (!argument->is_value() || !network_.state_of(argument->value())) return false;
      if (readers_[static_cast<size_t>(argument->value())].calls.size() != 1) return false;
    }
    return true;
  }

  /// Dropout in evaluation mode, and the like.
  bool is_nothing(size_t c) const {
    const auto& op = network_.calls[c].op;
    return op == "aten::dropout" || op == "aten::feature_dropout" || op == "aten::alias" ||
           op == "aten::detach" || op == "aten::contiguous";
  }

  std::optional<Fit::Residual> residual_of(const LinearCall& linear, ValueId output) const {
    const auto next = only_reader(output);
    if (!next) return {};
    const auto& call = network_.calls[*next];
    if (call.op != "aten::add" && call.op != "aten::add_") return {};
    if (!call.arguments[0].is_value() || !call.arguments[1].is_value()) return {};
    const auto& alpha = call.arguments.at(2);
    if (!alpha.is_constant() || !alpha.constant().isScalar() || alpha.constant().toScalar().toDouble() != 1)
      return {};
    const ValueId first = call.arguments[0].value(), second = call.arguments[1].value();
    const ValueId partner = first == output ? second : first;
    const ValueId sum = call.results[0].values[0];
    if (partner == output || network_.state_of(partner)) return {};
    const auto& sizes = network_.values[static_cast<size_t>(output)].sizes;
    if (network_.values[static_cast<size_t>(partner)].sizes != sizes ||
        network_.values[static_cast<size_t>(sum)].sizes != sizes)
      return {};
    if (fits_between(linear.call, partner)) return {};
    const auto target = moved_.find(sum);
    return Fit::Residual{sum, partner, target == moved_.end() ? sum : target->second};
  }

  /// Whether the value depends on a weight of a call after `call` that may be fit.
  bool fits_between(size_t call, ValueId value) const {
    std::vector<ValueId> open{value};
    std::set<ValueId> seen;
    while (!open.empty()) {
      const auto id = open.back();
      open.pop_back();
      const auto made = made_by_[static_cast<size_t>(id)];
      if (made <= static_cast<int64_t>(call) || !seen.insert(id).second) continue;
      if (std::holds_alternative<LinearCall>(linear_[static_cast<size_t>(made)])) return true;
      for (const auto& argument : network_.calls[static_cast<size_t>(made)].arguments)
        argument.for_each_value([&](ValueId other) { open.push_back(other); });
    }
    return false;
  }

  bool only_readers_;
  const std::map<ValueId, ValueId>& moved_;
  const Network& network_;
  const Groups& groups_;
  const std::map<GroupId, GroupMaps>& maps_;
  std::vector<Readers> readers_;
  std::vector<int64_t> made_by_;
  std::vector<bool> changed_, read_;
  std::vector<MaybeLinearCall> linear_;  // by call
  FitPlan plan_;
};

}  // namespace

FitPlan plan_fits(const Network& network, const Groups& groups, const std::map<GroupId, GroupMaps>& maps,
                  bool only_readers, const std::map<ValueId, ValueId>& moved) {
  return FitPlanner(network, groups, maps, only_readers, moved).make();
}

}  // namespace inn
