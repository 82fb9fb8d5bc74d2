#pragma once
// How files are said to be wrong: without the file's name, which whoever opened it puts before the message.

#include <fmt/format.h>

#include <stdexcept>

namespace inn {

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw std::runtime_error(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace inn
