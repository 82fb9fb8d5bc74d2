#include "options/normalized_model.h"

#include <utility>

#include "inn/data/normalization_record.h"

namespace inn::cli {

NormalizedModel open_normalized(const ModelOptions& options, const NormalizationOptions& normalization,
                                uint64_t seed, const Dataset* data, ZooSize size) {
  Network network = read_network(options, seed, size == ZooSize::of_data ? data : nullptr);
  Normalization found = normalization_of(normalization, network, data);
  if (!normalization.mean.empty() || !normalization.std.empty()) record_normalization(network, found);
  return {open_model(std::move(network)), std::move(found)};
}

}  // namespace inn::cli
