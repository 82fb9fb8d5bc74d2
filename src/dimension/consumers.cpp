#include "inn/dimension/consumers.h"

#include "inn/dimension/channel_places.h"

namespace inn {
namespace {

bool is_attention(const Call& call) {
  return call.op == "aten::scaled_dot_product_attention" && call.arguments[0].is_value() &&
         call.arguments[1].is_value();
}

/// Walks the calls, and notes which read activations and consuming weights of one group.
class ConsumerSearch {
 public:
  ConsumerSearch(const AnalysedNetwork& source, const std::vector<GroupId>& groups)
      : source_(source), depends_(source.network.values.size(), false) {
    for (const auto input : source.network.inputs) depends_[static_cast<size_t>(input)] = true;
    for (const auto id : groups) {
      found_[id];
      for (const auto& member : source.groups.groups.at(id).members)
        if (member.role == MemberRole::consume)
          carried_[source.network.state[member.state].value][id].push_back(member);
    }
  }

  std::map<GroupId, std::vector<Consumer>> find() {
    for (size_t c = 0; c < source_.network.calls.size(); ++c) visit(c);
    return std::move(found_);
  }

 private:
  void visit(size_t index) {
    const auto& call = source_.network.calls[index];
    std::vector<ValueId> activations;
    std::map<GroupId, std::vector<Member>> weights;
    for (const auto& argument : call.arguments)
      argument.for_each_value([&](ValueId id) {
        if (depends_[static_cast<size_t>(id)]) activations.push_back(id);
        if (const auto found = carried_.find(id); found != carried_.end())
          for (const auto& [group, members] : found->second)
            weights[group].insert(weights[group].end(), members.begin(), members.end());
      });
    const bool depends = !activations.empty();
    for (const auto& result : call.results)
      for (const auto value : result.values) {
        depends_[static_cast<size_t>(value)] = depends;
        if (!depends && !weights.empty()) carried_[value] = weights;
      }
    if (!depends) return;
    for (auto& [group, consumers] : found_) {
      if (is_attention(call)) {
        // Queries and keys are summed over, also where the values that pass have the same channels.
        const ValueId queries = call.arguments[0].value(), keys = call.arguments[1].value();
        if (has_last(queries, group) && has_last(keys, group))
          consumers.push_back({index, keys, {}, queries});
        continue;
      }
      std::vector<ValueId> with_group;
      for (const auto id : activations)
        if (has_group(source_.groups, id, group)) with_group.push_back(id);
      if (with_group.empty()) continue;
      if (const auto found = weights.find(group); found != weights.end()) {
        consumers.push_back({index, with_group[0], found->second, {}});
      } else if (with_group.size() >= 2 && with_group[0] != with_group[1] && !results_have(call, group)) {
        consumers.push_back({index, with_group[1], {}, with_group[0]});
      }
    }
  }

  bool has_last(ValueId value, GroupId group) const {
    const auto& axes = source_.groups.value_axes.at(static_cast<size_t>(value));
    return !axes.empty() && !places_of(axes.back(), group).empty();
  }

  bool results_have(const Call& call, GroupId group) const {
    for (const auto& result : call.results)
      for (const auto value : result.values)
        if (has_group(source_.groups, value, group)) return true;
    return false;
  }

  const AnalysedNetwork& source_;
  std::vector<bool> depends_;  // on the inputs, by value
  std::map<ValueId, std::map<GroupId, std::vector<Member>>> carried_;
  std::map<GroupId, std::vector<Consumer>> found_;
};

}  // namespace

std::map<GroupId, std::vector<Consumer>> find_consumers(const AnalysedNetwork& source,
                                                        const std::vector<GroupId>& groups) {
  return ConsumerSearch(source, groups).find();
}

}  // namespace inn
