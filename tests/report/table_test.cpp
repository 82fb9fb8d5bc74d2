#include "inn/report/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <sstream>

namespace inn {
namespace {

std::string print(const Table& table) {
  std::ostringstream stream;
  stream << table;
  return stream.str();
}

TEST(Table, AlignsNumbersRightAndTextLeft) {
  Table table({"method", "width", "accuracy", "parameters"});
  table.add_row({"integral", "1", "92.30 %", "273.0 k"});
  table.add_row({"cut by L1", "0.25", "8.1 %", "-"});
  EXPECT_EQ(print(table),
            "method     width  accuracy  parameters\n"
            "─────────  ─────  ────────  ──────────\n"
            "integral       1   92.30 %     273.0 k\n"
            "cut by L1   0.25     8.1 %           -\n");
  EXPECT_EQ(table.rows(), 2);
}

TEST(Table, CountsColumnsOfTheTerminalAndNotBytes) {
  Table table({"größe", "x"});
  table.add_row({"画像", "a"});
  table.add_row({"µ", "b"});
  EXPECT_EQ(print(table),
            "größe  x\n"
            "─────  ─\n"
            "画像   a\n"
            "µ      b\n");
}

TEST(Table, IsTextWhereOneCellIsNoNumber) {
  Table table({"a"});
  table.add_row({"1"});
  table.add_row({"3x3"});
  EXPECT_EQ(print(table), "a\n───\n1\n3x3\n");
}

TEST(Table, PrintsAHeaderWithoutRows) { EXPECT_EQ(print(Table({"a", "bb"})), "a  bb\n─  ──\n"); }

TEST(Table, RefusesRowsOfAnotherLength) {
  EXPECT_THROW(Table({}), std::invalid_argument);
  Table table({"a", "b"});
  EXPECT_THAT([&] { table.add_row({"1"}); }, testing::ThrowsMessage<std::invalid_argument>(
                                                 "[report] Table: a row must have 2 cells but has 1."));
}

TEST(FormatCount, UsesPowersOfAThousand) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1.0 k");
  EXPECT_EQ(format_count(273'000), "273.0 k");
  EXPECT_EQ(format_count(999'949), "999.9 k");
  EXPECT_EQ(format_count(999'950), "1.0 M");
  EXPECT_EQ(format_count(11'689'512), "11.7 M");
  EXPECT_EQ(format_count(-1'820'000'000), "-1.8 G");
  EXPECT_EQ(format_count(std::numeric_limits<int64_t>::max()), "9223.4 P");
}

TEST(FormatPercent, RoundsToItsDecimals) {
  EXPECT_EQ(format_percent(0.9234), "92.34 %");
  EXPECT_EQ(format_percent(1, 0), "100 %");
  EXPECT_EQ(format_percent(0.99996, 2), "100.00 %");
  EXPECT_THROW(format_percent(1, -1), std::invalid_argument);
}

}  // namespace
}  // namespace inn
