#pragma once
// Usage errors.

#include <stdexcept>

namespace inn::cli {

/// Terminates the program with exit code 2.
struct UsageError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// Returns what `read` returns; an std::invalid_argument from it becomes a UsageError.
template <class Read>
auto as_usage(Read&& read) {
  try {
    return read();
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
}

}  // namespace inn::cli
