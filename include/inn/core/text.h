#pragma once
// Width of text on a terminal.

#include <cstdint>
#include <string>
#include <string_view>

namespace inn {

/// Returns the number of columns that UTF-8 `text` takes on a terminal: none for combining marks and control
/// characters, two for wide (East Asian, emoji) characters, one for all others. A byte that is not UTF-8 counts as one.
int64_t text_columns(std::string_view text);

/// Returns the longest prefix of UTF-8 `text` that takes at most `columns` columns.
std::string cut_to_columns(std::string_view text, int64_t columns);

}  // namespace inn
