#include "inn/core/text.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace inn {
namespace {

struct Character {
  char32_t code;
  size_t bytes;
};

/// Returns the character at the start of `text`, which is not empty.
Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t bytes = lead < 0x80           ? 1
                       : (lead >> 5) == 0x06 ? 2
                       : (lead >> 4) == 0x0e ? 3
                       : (lead >> 3) == 0x1e ? 4
                                             : 0;
  if (bytes == 0 || bytes > text.size()) return {0xfffd, 1};
  if (bytes == 1) return {lead, 1};
  char32_t code = lead & (0xffU >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next >> 6) != 0x02) return {0xfffd, 1};
    code = code << 6 | (next & 0x3f);
  }
  return {code, bytes};
}

struct Range {
  char32_t first, last;
};

// The blocks of combining marks and of wide characters (Unicode 15, by block and not by character).
constexpr std::array<Range, 6> kNoColumn{{{0x0300, 0x036f},
                                          {0x1ab0, 0x1aff},
                                          {0x1dc0, 0x1dff},
                                          {0x200b, 0x200f},
                                          {0x20d0, 0x20ff},
                                          {0xfe00, 0xfe0f}}};
constexpr std::array<Range, 8> kTwoColumns{{{0x1100, 0x115f},
                                            {0x2e80, 0x303e},
                                            {0x3041, 0xa4cf},
                                            {0xac00, 0xd7a3},
                                            {0xf900, 0xfaff},
                                            {0xfe30, 0xfe6f},
                                            {0xff00, 0xff60},
                                            {0x1f300, 0x1faff}}};

int64_t columns_of(char32_t code) {
  const auto holds = [code](const Range& range) { return range.first <= code && code <= range.last; };
  if (std::any_of(kNoColumn.begin(), kNoColumn.end(), holds)) return 0;
  return std::any_of(kTwoColumns.begin(), kTwoColumns.end(), holds) ? 2 : 1;
}

}  // namespace

int64_t text_columns(std::string_view text) {
  int64_t columns = 0;
  while (!text.empty()) {
    const Character character = first_character(text);
    columns += columns_of(character.code);
    text.remove_prefix(character.bytes);
  }
  return columns;
}

std::string cut_to_columns(std::string_view text, int64_t columns) {
  size_t end = 0;
  int64_t taken = 0;
  while (end < text.size()) {
    const Character character = first_character(text.substr(end));
    taken += columns_of(character.code);
    if (taken > columns) break;
    end += character.bytes;
  }
  return std::string(text.substr(0, end));
}

}  // namespace inn
