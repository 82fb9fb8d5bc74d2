#pragma once
// Producers and consumers of the values of a network.

#include <optional>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// An index of a network's values, made by one pass over its calls.
///
/// Valid until calls, inputs, outputs or state of the network are edited. Every query takes constant time.
class ValueUses {
 public:
  explicit ValueUses(const Network& network);

  /// Returns the index in `calls` of the call that produces the value; nothing for inputs and state.
  std::optional<size_t> maker(ValueId value) const { return found(uses_[index(value)].maker); }
  /// Returns the indices in `calls` of the calls that use the value, ascending, once per occurrence in the
  /// call's arguments.
  const std::vector<size_t>& readers(ValueId value) const { return uses_[index(value)].readers; }
  /// Whether the value is a network output.
  bool is_output(ValueId value) const { return uses_[index(value)].is_output; }
  /// Returns the index in `state` of the entry with that value, or nothing: Network::state_of, without a
  /// search.
  std::optional<size_t> state_of(ValueId value) const { return found(uses_[index(value)].state); }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);
  struct Uses {
    size_t maker = kNone, state = kNone;
    std::vector<size_t> readers = {};
    bool is_output = false;
  };

  static size_t index(ValueId value) { return static_cast<size_t>(value); }
  static std::optional<size_t> found(size_t index) {
    return index == kNone ? std::nullopt : std::optional(index);
  }

  std::vector<Uses> uses_;
};

}  // namespace inn
