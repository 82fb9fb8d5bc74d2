#include "inn/dimension/fraction_groups.h"

#include <ATen/core/function_schema.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

#include "inn/dimension/channel_places.h"
#include "inn/network/einsum.h"

namespace inn {
namespace {

/// Calls `visit` with the factors, as sets of groups that can be resized, of every product in the axis that
/// has two or more.
template <class Visit>
void for_each_product(const Groups& groups, const AxisStructure& axis, const Visit& visit) {
  for (const auto& part : axis.parts) for_each_product(groups, part, visit);
  if (!axis.is_product()) return;
  std::vector<std::vector<GroupId>> factors;
  for (const auto& part : axis.parts) {
    std::vector<GroupId> factor;
    for (const auto id : groups_in(part))
      if (!groups.groups.at(id).pinned) factor.push_back(id);
    if (!factor.empty()) factors.push_back(std::move(factor));
  }
  if (factors.size() > 1) visit(std::move(factors));
}

/// The two operands of a contraction of activations, by the names of their arguments.
struct Contraction {
  std::string_view op, first, second;
};

constexpr Contraction kContractions[] = {
    {"aten::matmul", "self", "other"},
    {"aten::bmm", "self", "mat2"},
    {"aten::baddbmm", "batch1", "batch2"},
    {"aten::scaled_dot_product_attention", "query", "key"},
    {"aten::_scaled_dot_product_attention_math", "query", "key"},
    {"aten::_scaled_dot_product_flash_attention", "query", "key"},
    {"aten::_scaled_dot_product_flash_attention_for_cpu", "query", "key"},
    {"aten::_scaled_dot_product_efficient_attention", "query", "key"},
    {"aten::_scaled_dot_product_cudnn_attention", "query", "key"},
};

/// Finds the groups that calls distinguish: heads, depthwise multipliers.
class CallReader {
 public:
  explicit CallReader(const AnalysedNetwork& source) : network_(source.network), groups_(source.groups) {
    for (const auto& entry : network_.state) is_state_.insert(entry.value);
  }

  /// The groups over which contractions of two activations are batched.
  std::set<GroupId> heads() const {
    std::set<GroupId> heads;
    for (const auto& call : network_.calls) {
      if (call.op == "aten::einsum") add_heads_of_einsum(call, heads);
      for (const auto& known : kContractions)
        if (known.op == call.op) add_heads(call, known, heads);
    }
    return heads;
  }

  /// The groups that depthwise convolutions make of each channel.
  std::set<GroupId> multipliers() const {
    std::set<GroupId> multipliers;
    for (const auto& call : network_.calls)
      if (call.op.starts_with("aten::conv") || call.op == "aten::_convolution")
        add_multipliers(call, multipliers);
    return multipliers;
  }

 private:
  const Argument& argument(const Call& call, std::string_view name) const {
    static const Argument none;
    const auto place = find_schema(call.op, call.overload).argumentIndexWithName(std::string(name));
    return place ? call.arguments.at(static_cast<size_t>(*place)) : none;
  }

  const std::vector<AxisStructure>& axes(ValueId value) const {
    return groups_.value_axes.at(static_cast<size_t>(value));
  }
  bool is_activation(const Argument& argument) const {
    return argument.is_value() && !is_state_.contains(argument.value());
  }

  void add_heads(const Call& call, const Contraction& contraction, std::set<GroupId>& heads) const {
    const auto &first = argument(call, contraction.first), &second = argument(call, contraction.second);
    if (!is_activation(first) || !is_activation(second)) return;
    const auto& own = axes(first.value());
    for (size_t d = 0; d + 2 < own.size(); ++d) heads.merge(groups_in(own[d]));
  }

  void add_heads_of_einsum(const Call& call, std::set<GroupId>& heads) const {
    const auto& operands = argument(call, "tensors");
    if (!operands.is_list() || operands.list().size() != 2) return;
    std::vector<size_t> ranks;
    for (const auto& operand : operands.list()) {
      if (!is_activation(operand)) return;
      ranks.push_back(axes(operand.value()).size());
    }
    const auto equation = parse_einsum(argument(call, "equation").constant().toStringRef(), ranks);
    const auto has = [](const std::vector<int>& labels, int label) {
      return std::find(labels.begin(), labels.end(), label) != labels.end();
    };
    for (size_t d = 0; d < ranks[0]; ++d) {
      const auto label = equation.operands[0][d];
      if (has(equation.operands[1], label) && has(equation.result, label))
        heads.merge(groups_in(axes(operands.list()[0].value())[d]));
    }
  }

  void add_multipliers(const Call& call, std::set<GroupId>& multipliers) const {
    const auto &input = argument(call, "input"), &weight = argument(call, "weight");
    if (!input.is_value() || !weight.is_value()) return;
    const auto &of_input = axes(input.value()), &of_weight = axes(weight.value());
    if (of_weight.size() < 3 || of_input.size() + 2 <= of_weight.size()) return;
    const AxisStructure& channels = of_input[of_input.size() + 1 - of_weight.size()];
    const auto& transposed = argument(call, "transposed");
    const bool is_transposed =
        call.op.starts_with("aten::conv_transpose") ||
        (transposed.is_constant() && transposed.constant().isBool() && transposed.constant().toBool());
    // weight [c·m, 1, …], transposed [c, m, …] with as many groups as input channels.
    const auto& result = axes(call.results.at(0).values.at(0));
    const AxisStructure& made = result.at(result.size() + 1 - of_weight.size());
    const bool is_depthwise =
        channels.size > 1 &&
        (is_transposed ? made.size == channels.size * of_weight[1].size : of_weight[1].size == 1);
    if (!is_depthwise) return;
    auto own = groups_in(of_weight[is_transposed ? 1 : 0]);
    for (const auto id : groups_in(channels)) own.erase(id);
    multipliers.merge(own);
  }

  const Network& network_;
  const Groups& groups_;
  std::set<ValueId> is_state_;
};

}  // namespace

std::vector<AxisProduct> axis_products(const Groups& groups) {
  std::vector<AxisProduct> products;
  std::map<std::vector<std::vector<GroupId>>, size_t> known;
  for (size_t s = 0; s < groups.axes.size(); ++s)
    for (size_t d = 0; d < groups.axes[s].size(); ++d)
      for_each_product(groups, groups.axes[s][d], [&](std::vector<std::vector<GroupId>> factors) {
        const auto [found, is_new] = known.try_emplace(factors, products.size());
        if (is_new) products.push_back({std::move(factors), {}});
        auto& axes = products[found->second].axes;
        const std::pair place{s, static_cast<int64_t>(d)};
        if (axes.empty() || axes.back() != place) axes.push_back(place);
      });
  return products;
}

std::vector<GroupId> learned_groups(const AnalysedNetwork& source) {
  const auto is_parameter = [&](const Member& member) {
    return source.network.state[member.state].kind == StateEntry::Kind::parameter;
  };
  const bool any_parameter =
      std::any_of(source.network.state.begin(), source.network.state.end(),
                  [](const StateEntry& entry) { return entry.kind == StateEntry::Kind::parameter; });
  std::vector<GroupId> ids;
  for (GroupId id = 0; id < source.groups.groups.size(); ++id) {
    const auto& group = source.groups.groups[id];
    bool is_produced = false, is_learned = false;
    for (const auto& member : group.members) {
      if (member.role != MemberRole::produce) continue;
      is_produced = true;
      is_learned = is_learned || is_parameter(member);
    }
    if (!group.pinned && (is_learned || !is_produced || !any_parameter)) ids.push_back(id);
  }
  return ids;
}

std::vector<GroupId> fraction_groups(const AnalysedNetwork& source, const std::vector<GroupId>& candidates) {
  const std::set<GroupId> allowed(candidates.begin(), candidates.end());
  std::map<GroupId, std::set<GroupId>> partners;
  std::map<GroupId, size_t> product_counts;
  for (const auto& product : axis_products(source.groups))
    for (const auto& factor : product.factors)
      for (const auto id : factor) {
        ++product_counts[id];
        for (const auto& other : product.factors)
          if (&other != &factor) partners[id].insert(other.begin(), other.end());
      }

  const CallReader calls(source);
  const auto heads = calls.heads(), multipliers = calls.multipliers();
  // In kv·r·d, the key heads kv are preferred to the repetitions r, which occur in fewer products.
  const auto rank = [&](GroupId id) {
    const int64_t width = source.groups.groups.at(id).width;
    const bool is_last = width == 1 || multipliers.contains(id), is_head = !is_last && heads.contains(id);
    const auto products = is_head ? static_cast<int64_t>(product_counts[id]) : 0;
    return std::tuple{is_head ? 0 : is_last ? 2 : 1, -products, -width, id};
  };
  std::vector<GroupId> in_order(allowed.begin(), allowed.end());
  std::sort(in_order.begin(), in_order.end(), [&](GroupId a, GroupId b) { return rank(a) < rank(b); });

  std::set<GroupId> chosen;
  for (const auto id : in_order)
    if (std::none_of(partners[id].begin(), partners[id].end(),
                     [&](GroupId partner) { return chosen.contains(partner); }))
      chosen.insert(id);
  return {chosen.begin(), chosen.end()};
}

std::vector<GroupId> fraction_groups(const AnalysedNetwork& source) {
  return fraction_groups(source, learned_groups(source));
}

}  // namespace inn
