// docs/quadrature.md against the tables and against the example that it shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "inn/quadrature/covariance_kernel.h"
#include "inn/quadrature/quadrature.h"
#include "shown_code.h"

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

TEST(QuadratureDocs, NameEveryRuleAndKernel) {
  const auto docs = text_of("docs/quadrature.md");
  for (const auto& rule : quadratures()) EXPECT_THAT(docs, testing::HasSubstr("`" + rule.name)) << rule.name;
  for (const auto& kernel : covariance_kernel_names())
    EXPECT_THAT(docs, testing::HasSubstr("| `" + kernel + "` |"));
}

TEST(QuadratureDocs, ShowCodeThatTheExampleRuns) {
  const auto docs = text_of("docs/quadrature.md"),
             example = test::unindented(text_of("examples/quadrature.cpp"));
  const auto blocks = test::shown_code(docs);
  for (const auto& block : blocks) EXPECT_THAT(example, testing::HasSubstr(block));
  EXPECT_EQ(blocks.size(), 4u);
}

}  // namespace
}  // namespace inn
