#include "inn/core/error.h"

#include <algorithm>
#include <numeric>

namespace inn {
namespace {

/// Returns the Levenshtein distance of a and b.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t substitution = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substitution});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest_names(std::string_view name, const std::vector<std::string>& candidates) {
  if (candidates.empty()) return " There are none.";
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const auto& candidate : candidates) ranked.emplace_back(edit_distance(name, candidate), candidate);
  const size_t count = std::min<size_t>(3, ranked.size());
  std::partial_sort(ranked.begin(), ranked.begin() + count, ranked.end());
  std::string list;
  for (size_t i = 0; i < count; ++i) {
    list += i == 0 ? "" : i + 1 == count ? " or " : ", ";
    list += "'" + ranked[i].second + "'";
  }
  return " Did you mean " + list + "?";
}

}  // namespace inn
