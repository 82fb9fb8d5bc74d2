#include "inn/dimension/groups.h"

#include <fnmatch.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "analysis.h"
#include "inn/core/error.h"
#include "inn/dimension/channel_places.h"

namespace inn {
namespace {

/// The part of a tensor's name that names its module; the whole name for a tensor of the root.
std::string owner_of(const std::string& tensor) {
  const auto dot = tensor.rfind('.');
  return dot == std::string::npos ? tensor : tensor.substr(0, dot);
}

/// Makes groups of the free variables that occur in state tensors.
class Collector {
 public:
  explicit Collector(const Analysis& analysis) : analysis_(analysis), network_(analysis.network) {}

  Groups collect() {
    list_consumptions();
    const auto order = states_in_order_of_use();
    for (const auto state : order) list_members(state, false);
    const size_t channels = result_.groups.size();
    for (const auto state : order) list_members(state, true);
    note_positions();
    name_channels(channels);
    name_rest(channels);
    translate_axes();
    list_unweighted();
    result_.bounded = analysis_.bounded;
    result_.unknown_operators = analysis_.unknown_operators;
    return std::move(result_);
  }

 private:
  /// Slices of a state tensor's axis, and the variables that are summed over in them.
  struct Consumed {
    int64_t begin, end;
    std::set<VariableId> variables;
  };

  void list_consumptions() {
    for (const auto& consumption : analysis_.consumptions) {
      const auto& scale_source = consumption.scale_source;
      Consumed consumed{scale_source.begin, scale_source.end, consumption.variables};
      consumed_[{scale_source.state, scale_source.axis}].push_back(std::move(consumed));
    }
  }

  /// The terms of an axis: the parts of a sum. An outermost number is split if some of its copies are
  /// summed over and others are not: 3·h·d becomes h·d ⊕ h·d ⊕ h·d.
  std::vector<AxisStructure> terms_of(size_t state, int64_t d) const {
    const AxisStructure axis = analysis_.algebra.resolve((*analysis_.axes[network_.state[state].value])[d]);
    if (axis.is_sum()) return axis.parts;
    const auto found = consumed_.find({state, d});
    const bool outermost_number = axis.is_product() && (axis.parts[0].is_constant() ||
                                                        analysis_.algebra.pinned(axis.parts[0].variable));
    if (found == consumed_.end() || !outermost_number) return {axis};
    const bool whole = std::all_of(found->second.begin(), found->second.end(), [&](const Consumed& consumed) {
      return consumed.begin == 0 && consumed.end == axis.size;
    });
    if (whole) return {axis};
    const AxisStructure rest = AxisStructure::of_product({std::next(axis.parts.begin()), axis.parts.end()});
    return std::vector<AxisStructure>(static_cast<size_t>(axis.parts[0].size), rest);
  }

  /// The variables that are summed over in [begin, end) of the axis.
  std::set<VariableId> consumed_in(size_t state, int64_t d, int64_t begin, int64_t end) const {
    std::set<VariableId> variables;
    const auto found = consumed_.find({state, d});
    if (found == consumed_.end()) return variables;
    for (const auto& consumed : found->second)
      if (consumed.begin <= begin && end <= consumed.end)
        variables.insert(consumed.variables.begin(), consumed.variables.end());
    return variables;
  }

  std::vector<size_t> states_in_order_of_use() const {
    std::vector<size_t> first(network_.values.size(), network_.calls.size());
    for (size_t c = network_.calls.size(); c-- > 0;)
      for (const auto& argument : network_.calls[c].arguments)
        argument.for_each_value([&](ValueId id) { first[id] = c; });
    std::vector<size_t> order(network_.state.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return first[network_.state[a].value] < first[network_.state[b].value];
    });
    return order;
  }

  int64_t rank_of(size_t state) const {
    return static_cast<int64_t>(analysis_.axes[network_.state[state].value]->size());
  }

  /// Lists the members of the variables that are fixed, or of those that are not.
  void list_members(size_t state, bool fixed) {
    for (int64_t d = 0; d < rank_of(state); ++d) {
      int64_t begin = 0;
      for (const auto& term : terms_of(state, d)) {
        const auto consumed = consumed_in(state, d, begin, begin + term.size);
        for_each_place(term, {begin, 1, term.size, 1},
                       [&](const AxisStructure& leaf, const ChannelPlace& place) {
                         if (analysis_.algebra.is_fixed(leaf.variable) == fixed)
                           add_member(state, d, leaf, place, consumed);
                       });
        begin += term.size;
      }
    }
  }

  void note_positions() {
    for (auto& group : result_.groups)
      group.positions = std::all_of(group.members.begin(), group.members.end(), [&](const Member& member) {
        return analysis_.position_axes.contains({member.state, member.axis});
      });
  }

  void add_member(size_t state, int64_t d, const AxisStructure& leaf, const ChannelPlace& place,
                  const std::set<VariableId>& consumed) {
    const auto [found, is_new] = ids_.try_emplace(leaf.variable, result_.groups.size());
    if (is_new) {
      result_.groups.push_back({"", leaf.size, analysis_.algebra.pinned(leaf.variable), {}});
      result_.variables.push_back(leaf.variable);
    }
    result_.groups[found->second].members.push_back(
        {state, network_.state[state].name, d,
         consumed.contains(leaf.variable) ? MemberRole::consume : MemberRole::produce, place.offset,
         place.outer, place.outer_stride, place.inner});
  }

  /// The name of an input that has the group in one of its axes, or "".
  std::string input_of(GroupId group) const {
    for (const auto input : network_.inputs) {
      if (!analysis_.axes[input]) continue;
      for (const auto& axis : *analysis_.axes[input]) {
        bool found = false;
        analysis_.algebra.resolve(axis).for_each_variable([&](const AxisStructure& leaf) {
          const auto id = ids_.find(leaf.variable);
          found = found || (id != ids_.end() && id->second == group);
        });
        if (found) return network_.values[input].name;
      }
    }
    return "";
  }

  /// The module that produces the group, the input that has it, or the module that reads it.
  std::string base_name(GroupId g) const {
    const auto& members = result_.groups[g].members;
    const auto producer = std::find_if(members.begin(), members.end(), [](const Member& member) {
      return member.role == MemberRole::produce;
    });
    if (producer != members.end()) return owner_of(producer->tensor);
    const auto input = input_of(g);
    return input.empty() ? owner_of(members.front().tensor) + ":in" : input;
  }

  /// Names the first `count` groups.
  void name_channels(size_t count) {
    std::map<std::string, std::vector<GroupId>> same;
    for (GroupId g = 0; g < count; ++g) same[base_name(g)].push_back(g);
    for (const auto& [name, ids] : same) {
      names_.insert(name);
      for (size_t k = 0; k < ids.size(); ++k)
        result_.groups[ids[k]].name = ids.size() > 1 ? fmt::format("{}:{}", name, k) : name;
      for (const auto id : ids) names_.insert(result_.groups[id].name);
    }
  }

  /// Names the groups from `begin` on: after the module that produces them where there is one and its name is
  /// free, so that channels keep theirs; positions after the tensor's axis, "conv1.weight[2]".
  void name_rest(size_t begin) {
    for (GroupId g = begin; g < result_.groups.size(); ++g) {
      auto& group = result_.groups[g];
      const auto& first = group.members.front();
      const auto axis = fmt::format("{}[{}]", first.tensor, first.axis);
      const bool is_produced =
          std::any_of(group.members.begin(), group.members.end(),
                      [](const Member& member) { return member.role == MemberRole::produce; });
      const auto base = group.positions || !is_produced ? axis : base_name(g);
      group.name = names_.contains(base) ? axis : base;
      for (size_t k = 1; !names_.insert(group.name).second; ++k) group.name = fmt::format("{}:{}", axis, k);
    }
  }

  /// Group variables get their group's id, the others negative ids.
  AxisStructure translate(const AxisStructure& axis) const {
    AxisStructure translated = axis;
    if (axis.is_variable()) {
      const auto found = ids_.find(axis.variable);
      translated.variable = found != ids_.end() ? static_cast<VariableId>(found->second) : -1 - axis.variable;
      return translated;
    }
    for (auto& part : translated.parts) part = translate(part);
    if (axis.is_product()) return AxisStructure::of_product(std::move(translated.parts));
    if (axis.is_sum()) return AxisStructure::of_sum(std::move(translated.parts));
    return translated;
  }

  void translate_axes() {
    for (size_t s = 0; s < network_.state.size(); ++s) {
      std::vector<AxisStructure> structure;
      std::vector<std::vector<std::set<GroupId>>> sums;
      const auto count = static_cast<int64_t>(analysis_.axes[network_.state[s].value]->size());
      for (int64_t d = 0; d < count; ++d) {
        // Not normalized: its parts are the terms that `consumed` counts.
        AxisStructure axis;
        axis.kind = AxisStructure::Kind::sum;
        axis.size = 0;
        sums.emplace_back();
        for (const auto& term : terms_of(s, d)) {
          std::set<GroupId> ids;
          for (const auto variable : consumed_in(s, d, axis.size, axis.size + term.size))
            if (ids_.contains(variable)) ids.insert(ids_.at(variable));
          sums.back().push_back(std::move(ids));
          axis.parts.push_back(translate(term));
          axis.size += term.size;
        }
        structure.push_back(axis.parts.size() == 1 ? axis.parts[0] : axis);
      }
      result_.axes.push_back(std::move(structure));
      result_.consumed.push_back(std::move(sums));
    }
    for (const auto& axes : analysis_.axes) {
      std::vector<AxisStructure> structure;
      if (axes)
        for (const auto& axis : *axes) structure.push_back(translate(analysis_.algebra.resolve(axis)));
      result_.value_axes.push_back(std::move(structure));
    }
  }

  /// The sums with resizable groups: at its source width a sum needs no weights.
  void list_unweighted() {
    for (const auto& [contraction, operand, variables] : analysis_.unweighted) {
      UnweightedSum sum{contraction->call, operand.argument,  operand.element, operand.place.axis, {},
                        contraction->kind, contraction->power};
      for (const auto variable : variables)
        if (const auto found = ids_.find(variable);
            found != ids_.end() && !analysis_.algebra.pinned(variable))
          sum.groups.push_back(found->second);
      std::sort(sum.groups.begin(), sum.groups.end());
      if (!sum.groups.empty()) result_.unweighted.push_back(std::move(sum));
    }
  }

  const Analysis& analysis_;
  const Network& network_;
  Groups result_;
  std::map<VariableId, GroupId> ids_;
  std::set<std::string> names_;  // of groups, and those that groups share
  std::map<std::pair<size_t, int64_t>, std::vector<Consumed>> consumed_;  // by state tensor and axis
};

}  // namespace

Groups collect_groups(const Analysis& analysis) { return Collector(analysis).collect(); }

MemberRole Groups::role(size_t state, int64_t axis, size_t term, GroupId group) const {
  return consumed.at(state).at(axis).at(term).contains(group) ? MemberRole::consume : MemberRole::produce;
}

GroupId Groups::find(const std::string& name) const {
  std::vector<std::string> names;
  for (GroupId g = 0; g < groups.size(); ++g) {
    if (groups[g].name == name) return g;
    names.push_back(groups[g].name);
  }
  raise("dimension", "Group '{}': no such group.{}", name, nearest_names(name, names));
}

std::vector<GroupId> Groups::select(const std::vector<std::string>& patterns) const {
  std::set<GroupId> chosen;
  std::vector<std::string> names;
  for (GroupId g = 0; g < groups.size(); ++g) {
    names.push_back(groups[g].name);
    if (patterns.empty() && !groups[g].pinned) chosen.insert(g);
  }
  for (const auto& pattern : patterns) {
    bool any = false;
    std::optional<GroupId> pinned;
    for (GroupId g = 0; g < groups.size(); ++g) {
      // A name may hold brackets, which a glob reads as a set.
      if (groups[g].name != pattern && fnmatch(pattern.c_str(), groups[g].name.c_str(), 0) != 0) continue;
      if (groups[g].pinned) {
        pinned = g;
        continue;
      }
      any = true;
      chosen.insert(g);
    }
    if (any) continue;
    if (pinned)
      raise("dimension", "Group '{}': cannot be resized from width {}: {}.", groups[*pinned].name,
            groups[*pinned].width, *groups[*pinned].pinned);
    raise("dimension", "Pattern '{}': matches no group.{}", pattern, nearest_names(pattern, names));
  }
  return {chosen.begin(), chosen.end()};
}

int64_t size_at(const AxisStructure& axis, const std::vector<int64_t>& widths) {
  switch (axis.kind) {
    case AxisStructure::Kind::constant:
      return axis.size;
    case AxisStructure::Kind::variable:
      return axis.variable >= 0 ? widths.at(axis.variable) : axis.size;
    case AxisStructure::Kind::sum: {
      int64_t sum = 0;
      for (const auto& part : axis.parts) sum += size_at(part, widths);
      return sum;
    }
    default: {
      int64_t product = 1;
      for (const auto& part : axis.parts) product *= size_at(part, widths);
      return product;
    }
  }
}

namespace {

/// Sizes that depend on data: the number of positions that a mask selects, sizes read from a tensor.
void refuse_sizes_of_data(const Network& network) {
  for (const auto& call : network.calls)
    for (const auto& result : call.results)
      for (const auto id : result.values)
        for (const auto size : network.values[id].sizes)
          require(
              size >= 0, "dimension",
              "Call '{}' in module '{}': the size of its result depends on the data, which is not supported.",
              call.qualified_name(), call.module);
}

enum class ComputedWeights { kept, folded };

AnalysedNetwork analysed(Network network, const RuleTable& rules, ComputedWeights computed) {
  refuse_sizes_of_data(network);
  AnalysedNetwork result{std::move(network), {}};
  freeze_sizes(result.network);  // rules read numbers; the symbols that they stand for are recomputed
  Analysis analysis(result.network, rules);
  analysis.run();
  if (computed == ComputedWeights::folded) {
    if (const auto weights = mixed_weights(analysis); !weights.empty()) {
      std::vector<std::string> notes;
      auto folded = analysed(fold_weights(result.network, weights, notes), rules, ComputedWeights::kept);
      folded.groups.notes = std::move(notes);
      return folded;
    }
  }
  result.groups = collect_groups(analysis);
  derive_sizes(analysis, result.network, result.groups);
  return result;
}

}  // namespace

AnalysedNetwork analyse(Network network, const RuleTable& rules) {
  return analysed(std::move(network), rules, ComputedWeights::folded);
}

AnalysedNetwork analyse_as_written(Network network, const RuleTable& rules) {
  return analysed(std::move(network), rules, ComputedWeights::kept);
}

}  // namespace inn
