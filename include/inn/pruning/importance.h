#pragma once
// Which channels matter.

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "inn/calibration/calibration.h"
#include "inn/dimension/groups.h"
#include "inn/network/network.h"

namespace inn {

/// Which tensors of a group are looked at.
enum class CountedMembers {
  producing,  // those that make its channels
  all,        // those that read them too
};

struct ImportanceOptions {
  double p = 2;  // of lp, above 0
  CountedMembers members = CountedMembers::producing;
  std::string combine = "mean";  // how the members' scores become one: a name of combinations()
  /// How groups are made comparable: a name of score_scales(). Without a name none; where one threshold is
  /// for all groups, "mean".
  std::optional<std::string> normalize = {};
  uint64_t seed = 0;             // of those that draw
  Calibration calibration = {};  // for those that measure
};

/// One group as an importance sees it.
struct ScoredGroup {
  const AnalysedNetwork& source;
  GroupId id;
  /// The members that count: parameters of two axes or more; where the group has none, vectors (biases,
  /// norms: their size says little of a channel); where it has none, tensors that are no parameters; where
  /// nothing produces the group (a padded part), what reads it.
  const std::vector<Member>& members;
  const Measurements& measured;
  const ImportanceOptions& options;

  const Group& group() const { return source.groups.groups[id]; }
  /// What the tensor of `member` holds of each channel, or what `tensor` does in its place: float64 [width,
  /// everything else].
  at::Tensor rows(const Member& member) const;
  at::Tensor rows(const Member& member, const at::Tensor& tensor) const;
};

/// A way to score the channels of a group. One's own is made by filling in `name` and `scores`.
struct Importance {
  std::string name;  // "l1"
  std::string doc = {};
  /// Returns scores [width], float64, one or more: of each member, or of what else is looked at. The larger,
  /// the more the channel matters.
  std::function<std::vector<at::Tensor>(const ScoredGroup&)> scores;
  Measured needs = Measured::nothing;
};

/// l1, l2, lp, lamp, fpgm, batch_norm, activation, activation_rms, taylor, hessian, random.
const std::vector<Importance>& importances();
/// Throws std::invalid_argument with the nearest names.
const Importance& find_importance(const std::string& name);

/// Returns the scores of each group, combined and normalized as the options say: float64 [width] on the CPU.
///
/// Measures once for all groups where the importance needs it; the second form takes what was measured.
/// Throws std::invalid_argument for a group that the importance can't score (no batch norm on it), and for
/// scores that are no finite numbers.
std::map<GroupId, at::Tensor> importance_scores(const AnalysedNetwork& source,
                                                const std::vector<GroupId>& groups,
                                                const Importance& importance,
                                                const ImportanceOptions& options = {});
std::map<GroupId, at::Tensor> importance_scores(const AnalysedNetwork& source,
                                                const std::vector<GroupId>& groups,
                                                const Importance& importance,
                                                const ImportanceOptions& options,
                                                const Measurements& measured);

/// Returns the indices of the `count` largest scores in ascending order; equal scores: the earlier.
std::vector<int64_t> most_important(const at::Tensor& scores, int64_t count);

}  // namespace inn
