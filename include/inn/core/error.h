#pragma once
// Error messages of one form.

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace inn {

/// Throws `Error` with the message "[where] text", text being formatted as by fmt.
///
/// Which thing, what was allowed, what was given: "[resampling] Group 'conv1': width must be in [1, 64] but
/// got 80."
template <class Error = std::invalid_argument, class... Args>
[[noreturn]] void raise(std::string_view where, fmt::format_string<Args...> text, Args&&... args) {
  throw Error(fmt::format("[{}] {}", where, fmt::format(text, std::forward<Args>(args)...)));
}

/// Raises the error as `raise` does unless `holds`.
template <class Error = std::invalid_argument, class... Args>
void require(bool holds, std::string_view where, fmt::format_string<Args...> text, Args&&... args) {
  if (!holds) raise<Error>(where, text, std::forward<Args>(args)...);
}

/// Returns " Did you mean 'a', 'b' or 'c'?" with at most three of `candidates` by edit distance, the nearest
/// first. Returns " There are none." where `candidates` is empty.
std::string nearest_names(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace inn
