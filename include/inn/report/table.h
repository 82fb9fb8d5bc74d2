#pragma once
// Tables for a terminal.

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace inn {

/// A table of text. Columns are as wide as their widest cell on a terminal (UTF-8, wide characters count
/// two); a column whose every cell is a number, with or without a unit, or a dash or empty, is aligned to the
/// right.
class Table {
 public:
  /// Throws std::invalid_argument if there are no columns.
  explicit Table(std::vector<std::string> header);

  /// Throws std::invalid_argument unless there is one cell per column.
  void add_row(std::vector<std::string> cells);

  int64_t rows() const { return static_cast<int64_t>(rows_.size()); }

  /// Writes the header, a rule and the rows; no line ends in spaces.
  friend std::ostream& operator<<(std::ostream& stream, const Table& table);

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

/// Returns a count with one decimal and k, M, G, T or P for the powers of 1000: 999 is "999", 273000 is
/// "273.0 k".
std::string format_count(int64_t count);

/// Returns a fraction as a percentage: 0.9234 with one decimal is "92.3 %". Throws unless decimals is in [0,
/// 9].
std::string format_percent(double fraction, int decimals = 2);

}  // namespace inn
