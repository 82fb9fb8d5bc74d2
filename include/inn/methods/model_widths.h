#pragma once
// New widths of the groups of a model.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "inn/model/any_model.h"
#include "inn/pruning/pruning.h"

namespace inn {

/// New widths of groups, and notes for the user.
struct ChosenWidths {
  std::map<GroupId, int64_t> widths;
  std::vector<std::string> notes = {};
};

/// Removes from `ids` the groups that the model cannot resize: pinned ones, and in an integral model those
/// that are not continuous. Throws std::invalid_argument if `options.widths` names such a group, and if none
/// is left.
void keep_resizable(const AnyModel& model, const AnalysedNetwork& source, const PruneOptions& options,
                    std::vector<GroupId>& ids);

/// Returns the groups to which a fraction applies by default: for an integral model those that follow its
/// fractions, else inn::fraction_groups of the network.
std::vector<GroupId> fraction_groups(const AnyModel& model, const AnalysedNetwork& source);

/// Returns the new width of every selected group, each group separately (PruningScope::uniform): a fraction F
/// gives max(1, round(F·n)) within the limits; `keep_of` overrides `keep`, `widths` overrides both. Throws
/// std::invalid_argument for a group that is unknown (with the nearest names), pinned, or not continuous in
/// an integral model.
ChosenWidths chosen_widths(const AnyModel& model, const AnalysedNetwork& source,
                           const PruneOptions& requested);

}  // namespace inn
