#include "inn/core/text.h"

#include <utf8proc.h>

namespace inn {
namespace {

struct Character {
  int64_t columns;
  size_t bytes;
};

/// Returns the character at the start of `text`, which is not empty.
Character first_character(std::string_view text) {
  utf8proc_int32_t code = 0;
  const auto bytes = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                      static_cast<utf8proc_ssize_t>(text.size()), &code);
  if (bytes <= 0) return {1, 1};
  return {utf8proc_charwidth(code), static_cast<size_t>(bytes)};
}

}  // namespace

int64_t text_columns(std::string_view text) {
  int64_t columns = 0;
  while (!text.empty()) {
    const Character character = first_character(text);
    columns += character.columns;
    text.remove_prefix(character.bytes);
  }
  return columns;
}

std::string cut_to_columns(std::string_view text, int64_t columns) {
  size_t end = 0;
  int64_t taken = 0;
  while (end < text.size()) {
    const Character character = first_character(text.substr(end));
    taken += character.columns;
    if (taken > columns) break;
    end += character.bytes;
  }
  return std::string(text.substr(0, end));
}

}  // namespace inn
