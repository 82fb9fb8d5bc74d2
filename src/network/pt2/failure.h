#pragma once
// Errors of the readers: messages without the file's name, which the entry point prepends.

#include <fmt/format.h>

#include <stdexcept>

#include "inn/core/failure.h"

namespace inn::pt2 {

/// Features of torch that this library does not support.
struct Unsupported : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> text, Args&&... args) {
  throw Unsupported(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace inn::pt2
