#pragma once
// Tables whose entries have a `name`.

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "inn/core/error.h"

namespace inn {

/// A table to which entries are added. References to entries stay valid when it grows.
template <class Entry>
using GrowingTable = std::deque<Entry>;

/// Returns the names in the table's order.
template <class Table>
std::vector<std::string> names_of(const Table& table) {
  std::vector<std::string> names;
  for (const auto& entry : table) names.push_back(entry.name);
  return names;
}

/// Returns the entry of that name. Otherwise raises `text` from `where` with the name and the nearest ones.
template <class Table>
const auto& find_named(const Table& table, std::string_view name, std::string_view where,
                       fmt::format_string<std::string_view&, std::string> text) {
  for (const auto& entry : table)
    if (entry.name == name) return entry;
  raise(where, text, name, nearest_names(name, names_of(table)));
}

}  // namespace inn
