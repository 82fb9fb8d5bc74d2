#pragma once
// How the readers say what is wrong: messages without the file's name, which the entry point puts before
// them.

#include <fmt/format.h>

#include <stdexcept>

namespace inn::pt2 {

/// What torch can express and this library does not carry out.
struct Unsupported : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw std::runtime_error(fmt::format(text, std::forward<Args>(args)...));
}

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> text, Args&&... args) {
  throw Unsupported(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace inn::pt2
