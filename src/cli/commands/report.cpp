#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <sstream>

#include "commands/command.h"
#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "inn/report/html_report.h"
#include "options/general.h"
#include "options/usage_error.h"
#include "output.h"

namespace inn::cli {
namespace {

struct ReportArguments {
  GeneralOptions general;
  std::vector<std::string> runs;
  std::filesystem::path output;
  std::string title;
};

constexpr std::uintmax_t kMostBytes = 256 << 20;

/// The document of a file, an object.
std::string document_of(const std::string& path) {
  require<std::runtime_error>(std::filesystem::is_regular_file(path), "cli", "Run '{}': no such file.", path);
  require(std::filesystem::file_size(path) <= kMostBytes, "cli", "Run '{}': larger than 256 MB.", path);
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  constexpr int kDeepest = 64;
  const auto bounded = [](int depth, Json::parse_event_t, Json&) { return depth <= kDeepest; };
  const auto document = Json::parse(text.str(), bounded, false);
  require(document.is_object(), "cli", "Run '{}': must be a JSON object, as a command prints it with --json.",
          path);
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

int run(const ReportArguments& options) {
  start(options.general);
  require<UsageError>(options.output.extension() == ".html", "cli", "-o '{}': must end in .html.",
                      options.output.string());
  check_output(options.output);
  std::vector<HtmlRun> runs;
  for (const auto& path : options.runs) runs.push_back({document_of(path)});
  std::string title = options.title;
  for (const auto& path : options.runs)
    if (options.title.empty())
      title += (title.empty() ? "" : ", ") + std::filesystem::path(path).stem().string();
  write_atomically(options.output, html_report(title, runs));
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(options.output));
  if (options.general.json)
    print({{"output", options.output.string()}, {"runs", runs.size()}, {"bytes", bytes}});
  else
    std::cout << fmt::format("Wrote {}: {} run{}, {} kB.\n", options.output.string(), runs.size(),
                             runs.size() == 1 ? "" : "s", bytes / 1000);
  return 0;
}

}  // namespace

Command report_command() {
  return {
      .name = "report",
      .summary = "Makes one page to look at of the JSON documents of runs",
      .examples =
          "  inn compare net.pt2 --calibration images/ --data test/ --keep 0.7,0.5 --json > a.json\n"
          "  inn report a.json -o report.html\n"
          "  inn report a.json b.json -o both.html --title 'One seed and another'",
      .declare = [](CLI::App& app) -> std::function<int()> {
        auto options = std::make_shared<ReportArguments>();
        app.add_option("RUN", options->runs, "JSON documents that commands printed with --json")->required();
        app.add_option("-o,--output", options->output, "Output file, .html")
            ->required()
            ->type_name("FILE.html");
        app.add_option("--title", options->title, "Title of the page; default: the names of the files");
        add_general_options(app, options->general);
        return [options] { return run(*options); };
      }};
}

}  // namespace inn::cli
