#pragma once
// Where each value of a network is made and read.

#include <optional>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// An index of a network's values, made by one pass over its calls.
///
/// Describes the network as it was when the index was made: after an edit of its calls, inputs, outputs or
/// state, make it anew. Every question takes constant time.
class ValueUses {
 public:
  explicit ValueUses(const Network& network);

  /// Returns the index in `calls` of the call that makes the value; nothing for inputs and state.
  std::optional<size_t> maker(ValueId value) const { return found(uses_[index(value)].maker); }
  /// Returns the indices in `calls` of the calls that read the value, ascending, once for each time that the
  /// value stands in the call's arguments.
  const std::vector<size_t>& readers(ValueId value) const { return uses_[index(value)].readers; }
  /// Whether the value stands in the network's outputs.
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
