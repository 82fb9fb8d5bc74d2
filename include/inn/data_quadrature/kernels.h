#pragma once
// Who sums over the channels of a group, and what they see.

#include <map>
#include <vector>

#include "inn/calibration/calibration.h"
#include "inn/data_quadrature/nodes.h"
#include "inn/dimension/groups.h"

namespace inn {

/// A call that sums over the channels of a group: an activation with the group in it, against weights or
/// against another activation.
struct Consumer {
  size_t call;
  ValueId value;                 // the activation
  std::vector<Member> weights;   // what of the state it is summed with
  std::optional<ValueId> other;  // the other activation, where there are no weights
};

/// Returns the consumers of each of `groups`, in network order. A group may have none: nothing but
/// elementwise operators and an unknown sum reads it.
std::map<GroupId, std::vector<Consumer>> find_consumers(const AnalysedNetwork& source,
                                                        const std::vector<GroupId>& groups);

struct KernelOptions {
  int64_t positions = 256;  // of each sample at most so many are looked at
  uint64_t seed = 0;
};

/// Returns what the consumers of each group see in the source network on all batches; a batch norm or a bias
/// makes means good, so kernels are of activations less their means. An entry is missing where a group has no
/// consumer.
std::map<GroupId, std::vector<ConsumerKernel>> measure_kernels(const AnalysedNetwork& source,
                                                               const std::vector<GroupId>& groups,
                                                               const Calibration& calibration,
                                                               const KernelOptions& options = {});

}  // namespace inn
