#include "options/general.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "inn/report/html_report.h"
#include "options/limits.h"
#include "options/usage_error.h"
#include "output.h"
#include "run_record.h"

namespace inn::cli {
namespace {

constexpr const char* kGroup = "General";

std::string text_of(const Json& document, int indent) {
  return document.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// The document with what made it.
Json with_run(Json document) {
  document["run"] = run_record();
  return document;
}

c10::Device parse_device(const std::string& text) {
  try {
    return c10::Device(text);
  } catch (const c10::Error&) {
    raise<UsageError>("cli", "--device '{}': must be cpu, cuda or cuda:INDEX.", text);
  }
}

}  // namespace

void add_general_options(CLI::App& app, GeneralOptions& options) {
  app.add_flag("--json", options.json, "Print one JSON document on stdout instead of tables")->group(kGroup);
  app.add_option("--seed", options.seed, "Seed of the random generators")
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--threads", options.threads, "Number of CPU threads; default: chosen by torch")
      ->check(at_least(1))
      ->group(kGroup);
}

void add_html_option(CLI::App& app, GeneralOptions& options) {
  app.add_option("--html", options.html, "Also write the result as a page to look at in a browser")
      ->type_name("FILE.html")
      ->group(kGroup);
}

void add_device_option(CLI::App& app, GeneralOptions& options) {
  app.add_option("--device", options.device, "cpu, cuda or cuda:INDEX")->capture_default_str()->group(kGroup);
}

c10::Device start(const GeneralOptions& options) {
  const auto device = parse_device(options.device);
  require<UsageError>(device.is_cpu() || device.is_cuda(), "cli",
                      "--device '{}': must be cpu, cuda or cuda:INDEX.", options.device);
  if (device.is_cuda()) {
    const int count = at::hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0;
    require<std::runtime_error>(std::max<int>(0, device.index()) < count, "cli",
                                "Device '{}': this machine has {} CUDA devices.", options.device, count);
  }
  if (!options.html.empty()) {
    require<UsageError>(options.html.extension() == ".html", "cli", "--html '{}': must end in .html.",
                        options.html.string());
    check_output(options.html);
  }
  if (options.threads > 0) at::set_num_threads(options.threads);
  return device;
}

void print(const Json& document) { std::cout << text_of(with_run(document), 2) << '\n'; }

void show(const GeneralOptions& options, const Json& document, const std::function<void()>& print_text,
          const MakeDrawing& drawing) {
  if (!options.html.empty()) {
    const HtmlRun run{text_of(with_run(document), -1), drawing ? drawing() : ""};
    write_atomically(options.html, html_report(run_title(), {run}));
  }
  if (options.json)
    print(document);
  else
    print_text();
}

}  // namespace inn::cli
