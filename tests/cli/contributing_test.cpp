// CONTRIBUTING.md shows code that is compiled and run.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/command_example.h"
#include "cli/program_run.h"

namespace inn {
namespace {

/// Returns the lines without the spaces at their start.
std::string unindented(const std::string& text) {
  std::istringstream lines(text);
  std::string all;
  for (std::string line; std::getline(lines, line);)
    all += line.substr(std::min(line.find_first_not_of(' '), line.size())) + "\n";
  return all;
}

TEST(Contributing, ShowsCodeThatIsCompiled) {
  const std::string page = content_of(INN_SOURCE "/CONTRIBUTING.md");
  const std::string compiled = unindented(content_of(INN_SOURCE "/examples/extending.cpp")) +
                               unindented(content_of(INN_SOURCE "/tests/cli/command_example.cpp"));
  const std::string opening = "```cpp\n";
  int blocks = 0;
  for (size_t from = page.find(opening); from != page.npos; from = page.find(opening, from)) {
    from += opening.size();
    EXPECT_THAT(compiled, testing::HasSubstr(unindented(page.substr(from, page.find("```", from) - from))));
    ++blocks;
  }
  EXPECT_EQ(blocks, 6);
}

TEST(Contributing, ShowsACommandThatRuns) {
  const auto command = cli::inputs_command();
  CLI::App app;
  const auto run = command.declare(app);
  app.parse("zoo:lenet --json");
  testing::internal::CaptureStdout();
  EXPECT_EQ(run(), 0);
  const auto printed = nlohmann::json::parse(testing::internal::GetCapturedStdout());
  EXPECT_EQ(printed.at("inputs").at(0).at("sizes").size(), 4u);  // images [N, 1, 28, 28]
}

}  // namespace
}  // namespace inn
