// docs/quadrature.md against the tables and against the example that it shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "inn/quadrature/covariance_kernel.h"
#include "inn/quadrature/quadrature.h"

namespace inn {
namespace {

std::string text_of(const std::string& path) {
  const auto source = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  std::ifstream file(source / path);
  EXPECT_TRUE(file.is_open()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Returns the lines without the blanks that begin them.
std::string unindented(const std::string& text) {
  std::istringstream lines(text);
  std::string all;
  for (std::string line; std::getline(lines, line);)
    all += line.substr(std::min(line.find_first_not_of(' '), line.size())) + "\n";
  return all;
}

TEST(QuadratureDocs, NameEveryRuleAndKernel) {
  const auto docs = text_of("docs/quadrature.md");
  for (const auto& rule : quadratures()) EXPECT_THAT(docs, testing::HasSubstr("`" + rule.name)) << rule.name;
  for (const auto& kernel : covariance_kernel_names())
    EXPECT_THAT(docs, testing::HasSubstr("| `" + kernel + "` |"));
}

TEST(QuadratureDocs, ShowCodeThatTheExampleRuns) {
  const auto docs = text_of("docs/quadrature.md"), example = unindented(text_of("examples/quadrature.cpp"));
  const std::string opening = "```cpp\n";
  int blocks = 0;
  for (size_t from = docs.find(opening); from != docs.npos; from = docs.find(opening, from)) {
    from += opening.size();
    const auto block = docs.substr(from, docs.find("```", from) - from);
    EXPECT_THAT(example, testing::HasSubstr(unindented(block)));
    ++blocks;
  }
  EXPECT_EQ(blocks, 4);
}

}  // namespace
}  // namespace inn
