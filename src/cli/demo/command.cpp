#include <ATen/Parallel.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>

#include "commands/command.h"
#include "demo/demo.h"
#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "inn/core/progress.h"
#include "inn/network/files.h"
#include "inn/report/plot.h"
#include "inn/report/table.h"
#include "options/general.h"
#include "options/limits.h"
#include "output.h"

namespace inn::cli {
namespace {

/// The figures depend on the number of threads, through the order of sums: so it is fixed unless asked for.
constexpr int kThreads = 2;

struct DemoArguments {
  GeneralOptions general;
  DemoOptions demo;
};

std::string file_name(const DemoNetwork& network) {
  const std::string whose =
      network.method == "none" ? network.network : network.network + "_" + network.method;
  return fmt::format("{}_{:.2f}.pt2", whose, network.width);
}

Json results_json(const DemoOutcome& outcome) {
  Json list = Json::array();
  for (const auto& network : outcome.networks)
    list.push_back({{"network", network.network},
                    {"method", network.method},
                    {"width", network.width},
                    {"epochs", network.epochs},
                    {"accuracy", network.accuracy},
                    {"parameters", network.parameters},
                    {"macs", network.macs}});
  return {{"results", std::move(list)}};
}

/// The networks of one line of the comparison, in the order of their widths.
std::vector<std::vector<const DemoNetwork*>> lines_of(const DemoOutcome& outcome) {
  std::vector<std::vector<const DemoNetwork*>> lines;
  for (const auto& network : outcome.networks) {
    const auto same = [&](const auto& line) {
      return line[0]->network == network.network && line[0]->method == network.method;
    };
    const auto found = std::find_if(lines.begin(), lines.end(), same);
    (found == lines.end() ? lines.emplace_back() : *found).push_back(&network);
  }
  return lines;
}

void write_plots(const DemoOutcome& outcome, const std::filesystem::path& folder) {
  std::vector<Series> series;
  for (const auto& line : lines_of(outcome)) {
    Series& drawn = series.emplace_back();
    drawn.name = demo_label(line[0]->network, line[0]->method);
    if (line[0]->epochs > 0) drawn.name += fmt::format(" ({} epochs)", line[0]->epochs);
    for (const auto* network : line) {
      drawn.x.push_back(static_cast<double>(network->macs) / 1e6);
      drawn.y.push_back(100 * network->accuracy);
    }
  }
  const PlotOptions options{.title = "Fashion-MNIST: one set of weights at every width",
                            .x_title = "multiply-adds per image (millions)",
                            .y_title = "test accuracy (%)",
                            .x_scale = PlotOptions::Scale::logarithmic};
  plot_lines(folder / "accuracy.svg", series, options);
  plot_lines(folder / "accuracy.png", series, options);
}

void write_all(const DemoOutcome& outcome, const std::filesystem::path& folder) {
  save_integral(*outcome.integral, folder / "integral.pt2");
  for (const auto& network : outcome.networks) write_pt2(network.resampled, folder / file_name(network));
  write_atomically(folder / "results.json", results_json(outcome).dump(2) + "\n");
  write_plots(outcome, folder);
}

void print_table(const DemoOutcome& outcome) {
  const auto lines = lines_of(outcome);
  std::vector<std::string> header{"width", "epochs"};
  for (const double width : demo_widths()) header.push_back(fmt::format("{:g}", width));
  Table table(header);
  const auto add_row = [&](const std::string& name, const std::string& epochs, const auto& line, auto text) {
    std::vector<std::string> cells{name, epochs};
    for (const auto* network : line) cells.push_back(text(*network));
    table.add_row(cells);
  };
  add_row("parameters", "", lines[0], [](const auto& network) { return format_count(network.parameters); });
  add_row("multiply-adds", "", lines[0], [](const auto& network) { return format_count(network.macs); });
  for (const auto& line : lines)
    add_row(demo_label(line[0]->network, line[0]->method), std::to_string(line[0]->epochs), line,
            [](const auto& network) { return format_percent(network.accuracy); });
  std::cout << table;
}

int run(DemoArguments options) {
  if (options.general.threads == 0) options.general.threads = kThreads;
  start(options.general);
  options.demo.seed = options.general.seed;
  if (options.demo.quick) options.demo.epochs = options.demo.integral_epochs = 1;
  const auto begin = std::chrono::steady_clock::now();
  // On a terminal the bars of training show how far it is.
  if (isatty(STDERR_FILENO) == 0 && !options.general.json)
    options.demo.stage = [begin](const std::string& stage) {
      const std::chrono::duration<double> now = std::chrono::steady_clock::now() - begin;
      std::cerr << fmt::format("{:>5}  {}\n", format_duration(now.count()), stage);
    };
  const DemoImages images = read_demo_images(options.demo);
  make_output_folder(options.demo.output);
  const DemoOutcome outcome = run_demo(images, options.demo);
  write_all(outcome, options.demo.output);
  show(options.general, results_json(outcome), [&] {
    print_table(outcome);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    const std::string trained = options.demo.fast ? "Nothing was trained: 'inn zoo small_cnn@fashion-mnist' "
                                                    "shows how the integral model was made.\n"
                                                  : fmt::format(
                                                        "The ordinary network and the separate ones were "
                                                        "trained for {} epochs each, the integral model "
                                                        "for {} more,\nstarting from the ordinary network. ",
                                                        options.demo.epochs, options.demo.integral_epochs);
    std::cout << fmt::format(
        "Test accuracy on {} images. {}Wrote {} networks, "
        "results.json and accuracy.svg to {}/ in {} with {} threads.\n",
        images.test.size(), trained, outcome.networks.size() + 1, options.demo.output.string(),
        format_duration(elapsed.count()), at::get_num_threads());
  });
  return 0;
}

}  // namespace

Command demo_command() {
  return {
      .name = "demo",
      .summary = "Runs the whole pipeline on Fashion-MNIST: an integral model, pruning, separate networks",
      .examples =
          "  inn demo\n"
          "  inn demo --fast\n"
          "  inn demo --output demo --seed 1\n"
          "  inn demo --output /tmp/demo --quick",
      .declare = [](CLI::App& app) -> std::function<int()> {
        auto options = std::make_shared<DemoArguments>();
        app.add_option("--output,-o", options->demo.output, "Output folder")->capture_default_str();
        app.add_option("--data", options->demo.data, "Grayscale images of 28×28 pixels or more")
            ->capture_default_str();
        app.add_option("--epochs", options->demo.epochs,
                       "Epochs of the ordinary network and of each separate one")
            ->check(at_least(1))
            ->capture_default_str();
        app.add_option("--integral-epochs", options->demo.integral_epochs,
                       "Additional epochs of the integral model")
            ->check(at_least(1))
            ->capture_default_str();
        app.add_flag("--fast", options->demo.fast,
                     "Start from the trained zoo:small_cnn@fashion-mnist and train nothing");
        app.add_flag("--quick", options->demo.quick, "1280 images and one epoch, only to see that it runs");
        add_general_options(app, options->general);
        add_html_option(app, options->general);
        return [options] { return run(*options); };
      }};
}

}  // namespace inn::cli
