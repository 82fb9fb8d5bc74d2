#pragma once
// Importance scores of channels.

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

/// Which tensors of a group are used.
enum class CountedMembers {
  producing,  // those that produce its channels
  all,        // also those that consume them
};

struct ImportanceOptions {
  double p = 2;  // for lp; positive
  CountedMembers members = CountedMembers::producing;
  std::string combine = "mean";  // reduction of the members' scores: a name of combinations()
  /// Normalization across groups: a name of score_scales(). Default: "mean" if one threshold applies to
  /// several groups, else none.
  std::optional<std::string> normalize = {};
  uint64_t seed = 0;             // for random importances
  Calibration calibration = {};  // for importances that are measured on data
};

/// The view of one group that an importance gets.
struct ScoredGroup {
  const AnalysedNetwork& source;
  GroupId id;
  /// The members to score: parameters with two or more dimensions; if there are none, vectors (biases,
  /// norms); if there are none, tensors that are not parameters; if nothing produces the group (a padded
  /// part), its consumers.
  const std::vector<Member>& members;
  const Measurements& measured;
  const ImportanceOptions& options;

  const Group& group() const { return source.groups.groups[id]; }
  /// The slices of the member's tensor (or of `tensor` in its place) for each channel: float64 [width,
  /// everything else].
  at::Tensor rows(const Member& member) const;
  at::Tensor rows(const Member& member, const at::Tensor& tensor) const;
};

/// Scores the channels of a group. For your own, set `name` and `scores`.
struct Importance {
  std::string name;  // "l1"
  std::string doc = {};
  /// Returns one or more vectors of scores [width], float64, e.g. one per member. Larger means more
  /// important.
  std::function<std::vector<at::Tensor>(const ScoredGroup&)> scores;
  Measured needs = Measured::nothing;
};

/// l1, l2, lp, lamp, fpgm, batch_norm, activation, activation_rms, wanda, fluctuation, taylor, hessian, random.
const std::vector<Importance>& importances();
/// Throws std::invalid_argument with the nearest names.
const Importance& find_importance(const std::string& name);

/// Returns the scores of each group, combined and normalized as the options say: float64 [width] on the CPU.
///
/// Measures once for all groups if the importance requires it; the second overload takes existing
/// measurements. Throws std::invalid_argument for a group that the importance cannot score (e.g. without
/// batch norm) and for non-finite scores.
std::map<GroupId, at::Tensor> importance_scores(const AnalysedNetwork& source,
                                                const std::vector<GroupId>& groups,
                                                const Importance& importance,
                                                const ImportanceOptions& options = {});
std::map<GroupId, at::Tensor> importance_scores(const AnalysedNetwork& source,
                                                const std::vector<GroupId>& groups,
                                                const Importance& importance,
                                                const ImportanceOptions& options,
                                                const Measurements& measured);

/// Returns the indices of the `count` largest scores in ascending order; for ties the earlier ones.
std::vector<int64_t> most_important(const at::Tensor& scores, int64_t count);

}  // namespace inn
