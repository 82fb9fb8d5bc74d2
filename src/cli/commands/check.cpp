#include <CLI/CLI.hpp>
#include <iostream>

#include "commands/command.h"
#include "inn/core/progress.h"
#include "inn/report/table.h"
#include "inn/resampling/equal_channels.h"
#include "inn/resampling/verify.h"
#include "options/run_context.h"

namespace inn::cli {
namespace {

struct Options {
  RunContext context;
  bool own_weights = false;
};

/// What the laws found of one group.
struct Checked {
  GroupVerification groups;
  EqualChannelsVerification channels;

  bool ok() const { return groups.ok() && channels.ok(); }
  std::string result() const {
    if (!ok()) return failure();
    return channels.exception.empty() ? "ok" : "ok, but no integral: " + channels.exception;
  }
  const std::string& failure() const { return groups.ok() ? channels.failure : groups.failure; }
};

Json verification_json(const std::vector<Checked>& checked, bool ok) {
  Json list = Json::array();
  for (const auto& entry : checked) {
    const auto& [verification, channels] = entry;
    const std::string& failure = entry.failure();
    list.push_back({{"name", verification.name},
                    {"width", verification.width},
                    {"ok", verification.ok() && channels.ok()},
                    {"permutation_error", verification.permutation_error},
                    {"producer_effect", verification.producer_effect},
                    {"widths", verification.widths},
                    {"equal_channels_error", channels.error},
                    {"no_integral", channels.exception.empty() ? Json() : Json(channels.exception)},
                    {"failure", failure.empty() ? Json() : Json(failure)}});
  }
  return {{"ok", ok}, {"groups", std::move(list)}};
}

void print_table(const std::vector<Checked>& checked) {
  Table table(
      {"group", "width", "permutation error", "producers only", "widths", "equal channels error", "result"});
  for (const auto& entry : checked) {
    const auto& verification = entry.groups;
    std::string widths;
    for (const auto width : verification.widths)
      widths += fmt::format("{}{}", widths.empty() ? "" : " ", width);
    table.add_row({verification.name, std::to_string(verification.width),
                   fmt::format("{:.1e}", verification.permutation_error),
                   fmt::format("{:.1e}", verification.producer_effect), widths,
                   fmt::format("{:.1e}", entry.channels.error), entry.result()});
  }
  std::cout << table;
}

int run(const Options& options) {
  options.context.start();
  const auto source = options.context.open().source();
  std::optional<Progress> bar;
  std::vector<Checked> checked;
  {
    const auto advance = [&](size_t done, size_t total) {
      if (!bar) bar.emplace(Progress::Options{.label = "groups", .total = 2 * static_cast<int64_t>(total)});
      if (done > 0) bar->advance();
    };
    const VerifyOptions how{
        .redraw = !options.own_weights, .seed = options.context.general.seed, .progress = advance};
    auto groups = verify_groups(source, how);
    if (bar) bar->advance();
    auto channels = verify_equal_channels(source, how);
    for (size_t k = 0; k < groups.size(); ++k)
      checked.push_back({std::move(groups[k]), std::move(channels[k])});
    bar.reset();
  }
  const bool ok =
      std::all_of(checked.begin(), checked.end(), [](const Checked& entry) { return entry.ok(); });
  if (options.context.general.json) {
    print(verification_json(checked, ok));
  } else {
    print_table(checked);
  }
  return ok ? 0 : 1;
}

}  // namespace

Command check_command() {
  return {.name = "check",
          .summary =
              "Verifies the groups: permutes channels, changes widths and runs the network; with equal "
              "channels no width may change the outputs",
          .examples =
              "  inn check resnet20.pt2\n"
              "  inn check zoo:resnet20 --json",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<Options>();
            options->context.add_model(app);
            app.add_flag("--own-weights", options->own_weights,
                         "Use the model's own weights; by default random weights, so that no branch is dead");
            options->context.add_options(app, {});
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
