#pragma once
// Metadata of values: dtypes, sizes, and modules.

#include <string>
#include <utility>

#include "inn/network/network.h"
#include "json.h"

namespace inn::pt2 {

/// Returns the value of the name from the graph's tables. `tag` is the kind of the name: "as_tensor",
/// "as_sym_int", … A size that the source could not know (it depends on data) is -1.
Value read_value(const Json& graph, const std::string& tag, const std::string& name);

/// The module that makes a call: dotted name and class.
struct Owner {
  std::string module, type;
};
Owner read_owner(const Json& node);

}  // namespace inn::pt2
