#pragma once
// Networks at other widths, by a method that has a name.

#include <map>
#include <string>
#include <vector>

#include "cli/model_source.h"

namespace inn::cli {

/// "interpolate", and the names of the importances.
std::vector<std::string> resampling_methods();

/// Whether the method chooses channels by an importance of that name.
bool is_importance(const std::string& method);

/// Throws std::invalid_argument with the nearest names.
void check_method(const std::string& method);

struct ResampleOptions {
  std::string method = "interpolate";
  /// How a plain network is made an integral model before it is interpolated.
  ConvertOptions conversion = {};
  uint64_t seed = 0;
};

/// Returns the plain network in which the groups have these widths, made from the source weights. The model
/// is not changed.
///
/// interpolate: an integral model's groups are resized; of a plain network the groups are first made
/// continuous, their channels ordered. Importances that need no data: the most important channels are kept.
/// Throws std::invalid_argument for a width that the method can't give.
Network resampled(const Model& model, const std::map<GroupId, int64_t>& widths,
                  const ResampleOptions& options);

}  // namespace inn::cli
