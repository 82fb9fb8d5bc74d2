#include "inn/dimension/producer_outputs.h"

#include <set>

#include "inn/dimension/channel_places.h"

namespace inn {
namespace {

/// Follows producing tensors through the calls.
class ProducerSearch {
 public:
  ProducerSearch(const AnalysedNetwork& source, const std::vector<GroupId>& groups)
      : source_(source), depends_(source.network.values.size(), false) {
    for (const auto input : source.network.inputs) depends_[static_cast<size_t>(input)] = true;
    for (const auto id : groups)
      for (const auto& member : source.groups.groups.at(id).members)
        if (member.role == MemberRole::produce) carried_[source.network.state[member.state].value].insert(id);
  }

  std::map<GroupId, std::vector<ValueId>> find() {
    for (const auto& call : source_.network.calls) visit(call);
    return std::move(found_);
  }

 private:
  void visit(const Call& call) {
    bool depends = false;
    std::set<GroupId> read;
    for (const auto& argument : call.arguments)
      argument.for_each_value([&](ValueId id) {
        depends = depends || depends_[static_cast<size_t>(id)];
        if (const auto groups = carried_.find(id); groups != carried_.end())
          read.insert(groups->second.begin(), groups->second.end());
      });
    for (size_t r = 0; r < call.results.size(); ++r) {
      for (const auto value : call.results[r].values) {
        depends_[static_cast<size_t>(value)] = depends;
        for (const auto id : read) {
          if (!has_group(source_.groups, value, id)) continue;
          if (!depends) carried_[value].insert(id);
          if (depends && r == 0) found_[id].push_back(value);  // further results are statistics and indices
        }
      }
    }
  }

  const AnalysedNetwork& source_;
  std::vector<bool> depends_;  // on the inputs, by value
  std::map<ValueId, std::set<GroupId>> carried_;
  std::map<GroupId, std::vector<ValueId>> found_;
};

}  // namespace

std::map<GroupId, std::vector<ValueId>> producer_outputs(const AnalysedNetwork& source,
                                                         const std::vector<GroupId>& groups) {
  return ProducerSearch(source, groups).find();
}

}  // namespace inn
