#pragma once
// Numbers in the texts of recipes and attacks.

#include <charconv>
#include <string_view>
#include <system_error>

namespace inn {

/// Whether the whole of the text is a number, which it then sets; in every locale.
template <class Number>
bool parse_number(std::string_view text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, number);
  return !text.empty() && last == end && error == std::errc();
}

}  // namespace inn
