// CONTRIBUTING.md shows code that is compiled and run.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/command_example.h"
#include "cli/program_run.h"
#include "shown_code.h"

namespace inn {
namespace {

TEST(Contributing, ShowsCodeThatIsCompiled) {
  const std::string page = content_of(INN_SOURCE "/CONTRIBUTING.md");
  const std::string compiled = test::unindented(content_of(INN_SOURCE "/examples/extending.cpp")) +
                               test::unindented(content_of(INN_SOURCE "/tests/cli/command_example.cpp"));
  const auto blocks = test::shown_code(page);
  for (const auto& block : blocks) EXPECT_THAT(compiled, testing::HasSubstr(block));
  EXPECT_EQ(blocks.size(), 6u);
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
