#pragma once
// Running a network: the plan made once of its calls.

#include <memory>
#include <utility>
#include <vector>

#include "inn/network/liveness.h"
#include "inn/network/network.h"
#include "schema.h"

namespace inn {

/// What a schema wants at one place, where what is given may need a conversion.
enum class Place { as_is, tensor, floating, integer_list, list };

class ExecutionPlan {
 public:
  /// Finds the operators of the calls and when each value is released.
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
