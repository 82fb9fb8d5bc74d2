#include "inn/report/table.h"

#include <array>
#include <cmath>
#include <cstdlib>
#include <ostream>

#include "inn/core/error.h"
#include "inn/core/text.h"

namespace inn {
namespace {

constexpr const char* kGap = "  ";
constexpr const char* kRule = "─";

/// Whether a cell is empty, a dash, or a number, perhaps with a unit of at most six characters.
bool is_numeric(const std::string& cell) {
  if (cell.empty() || cell == "-" || cell == "–" || cell == "—") return true;
  constexpr int64_t kLongestUnit = 6;
  const char* begin = cell.c_str();
  char* end = nullptr;
  std::strtod(begin, &end);
  const std::string_view unit = std::string_view(cell).substr(static_cast<size_t>(end - begin));
  return end != begin && text_columns(unit) <= kLongestUnit && unit.find_first_of("0123456789") == unit.npos;
}

}  // namespace

Table::Table(std::vector<std::string> header) : header_(std::move(header)) {
  require(!header_.empty(), "report", "Table: expected at least one column.");
}

void Table::add_row(std::vector<std::string> cells) {
  require(cells.size() == header_.size(), "report", "Table: a row must have {} cells but has {}.",
          header_.size(), cells.size());
  rows_.push_back(std::move(cells));
}

std::ostream& operator<<(std::ostream& stream, const Table& table) {
  const size_t columns = table.header_.size();
  std::vector<int64_t> widths(columns);
  std::vector<bool> right(columns, true);
  for (size_t c = 0; c < columns; ++c) {
    widths[c] = text_columns(table.header_[c]);
    for (const auto& row : table.rows_) {
      widths[c] = std::max(widths[c], text_columns(row[c]));
      right[c] = right[c] && is_numeric(row[c]);
    }
  }
  const auto write = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t c = 0; c < columns; ++c) {
      const std::string space(static_cast<size_t>(widths[c] - text_columns(cells[c])), ' ');
      line += (c > 0 ? kGap : "") + (right[c] ? space + cells[c] : cells[c] + space);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    stream << line << '\n';
  };
  write(table.header_);
  for (size_t c = 0; c < columns; ++c) {
    stream << (c > 0 ? kGap : "");
    for (int64_t i = 0; i < widths[c]; ++i) stream << kRule;
  }
  stream << '\n';
  for (const auto& row : table.rows_) write(row);
  return stream;
}

std::string format_count(int64_t count) {
  constexpr std::array<const char*, 5> kUnits{"k", "M", "G", "T", "P"};
  constexpr double kPower = 1000, kLargestShown = 999.95;  // rounds to 1000.0
  if (std::abs(static_cast<double>(count)) < kPower) return fmt::format("{}", count);
  double value = static_cast<double>(count) / kPower;
  size_t unit = 0;
  for (; std::abs(value) >= kLargestShown && unit + 1 < kUnits.size(); ++unit) value /= kPower;
  return fmt::format("{:.1f} {}", value, kUnits.at(unit));
}

std::string format_percent(double fraction, int decimals) {
  require(decimals >= 0 && decimals <= 9, "report", "format_percent: decimals must be in [0, 9] but got {}.",
          decimals);
  return fmt::format("{:.{}f} %", 100 * fraction, decimals);
}

}  // namespace inn
