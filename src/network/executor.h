#pragma once
// Execution plans of networks.

#include <memory>
#include <utility>
#include <vector>

#include "inn/network/liveness.h"
#include "inn/network/network.h"
#include "schema.h"

namespace inn {

/// The type of a schema argument, if a given value may require a conversion.
enum class Place { as_is, tensor, floating, integer_list, list };

class ExecutionPlan {
 public:
  /// Resolves the operators of the calls and determines when each value is released.
  explicit ExecutionPlan(const Network& network);

  /// Returns a number that differs (but for chance, 2⁻⁶⁴) between networks whose plans differ.
  static uint64_t fingerprint(const Network& network);

  struct Step {
    Operation operation;
    std::vector<Place> places;
    std::vector<c10::TypePtr> element_types;  // of the lists
  };

  uint64_t made_for;
  Liveness liveness;
  std::vector<Step> steps;
  /// The symbols that are the size of an axis of a value.
  std::vector<std::vector<std::pair<SymbolId, int64_t>>> symbols_of_value;
};

}  // namespace inn
