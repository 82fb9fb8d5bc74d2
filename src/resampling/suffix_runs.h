#pragma once
// Running a network many times, each time with the channels of a few groups changed.

#include <ATen/core/ivalue.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <vector>

#include "inn/dimension/groups.h"
#include "inn/resampling/maps.h"
#include "inn/resampling/verify.h"

namespace inn {

/// Runs of a network from a position on; the activations there are computed once.
///
/// Verifying the groups in the order of their first calls, and advancing to each, takes half the work of complete
/// runs in a sequential network. Outputs are equal to those of complete runs.
class SuffixRuns {
 public:
  /// Provides state tensor s, unchanged; the same tensor whenever it is asked after the first `advance`.
  using Load = std::function<at::Tensor(size_t)>;

  /// `source` must outlive the runs.
  SuffixRuns(const AnalysedNetwork& source, std::vector<c10::IValue> inputs, Load load);

  /// Returns the index of the first call that depends on the group's channels or width.
  size_t first_call(GroupId group) const { return first_calls_[group]; }

  /// Moves the position to the call, if it is behind it. Later runs may change only groups whose first call is not
  /// before the position.
  void advance(size_t position);

  /// Returns the network's outputs of tensor type with the groups in `maps` changed, each in its place.
  std::vector<at::Tensor> run(const std::map<GroupId, GroupMaps>& maps) const;

 private:
  std::vector<c10::IValue> run_part(const Network& part, const std::map<GroupId, GroupMaps>& maps) const;
  Network part(const std::vector<ValueId>& wanted, size_t end) const;

  const AnalysedNetwork& source_;
  Load load_;
  Network network_;  // without in-place calls, where that is possible
  bool can_advance_;
  std::vector<size_t> first_calls_;  // by group
  size_t position_ = 0;
  std::vector<std::optional<c10::IValue>> held_;  // by value: those that calls from the position on read
  std::vector<ValueId> outputs_;
  Network suffix_;
};

/// Verifies each group, or those of the options, from the first call on to the last; returns what
/// `verifier.verify(id)` does, in the order of the groups.
template <class Verifier>
auto verify_in_order_of_calls(Verifier& verifier, const AnalysedNetwork& source,
                              const VerifyOptions& options) {
  const auto ids = options.groups.empty() ? source.groups.select({}) : options.groups;
  std::vector<size_t> order(ids.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return verifier.first_call(ids[a]) < verifier.first_call(ids[b]);
  });
  std::vector<decltype(verifier.verify(GroupId{}))> found(ids.size());
  for (size_t k = 0; k < order.size(); ++k) {
    if (options.progress) options.progress(k, ids.size());
    found[order[k]] = verifier.verify(ids[order[k]]);
  }
  return found;
}

}  // namespace inn
