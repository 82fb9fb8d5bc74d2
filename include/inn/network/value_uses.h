#pragma once
// An index of the producer and the readers of each value.

#include <optional>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// The producer and the readers of each value of a network, found in one pass over its calls; lookups take
/// constant time.
///
/// A snapshot: rebuild it after edits of the network's calls, outputs or state.
class ValueUses {
 public:
  explicit ValueUses(const Network& network);

  /// Returns the index in `calls` of the call that produces the value; nothing for inputs and state.
  std::optional<size_t> producer(ValueId value) const { return found(uses_[index(value)].producer); }
  /// Returns the indices in `calls` of the calls that read the value, ascending, one entry per argument.
  const std::vector<size_t>& readers(ValueId value) const { return uses_[index(value)].readers; }
  /// Whether the value is an output of the network.
  bool is_output(ValueId value) const { return uses_[index(value)].is_output; }
  /// Returns the index in `state` of the entry with that value, or nothing: as Network::state_of, without
  /// its linear search.
  std::optional<size_t> state_of(ValueId value) const { return found(uses_[index(value)].state); }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);
  struct Uses {
    size_t producer = kNone, state = kNone;
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
