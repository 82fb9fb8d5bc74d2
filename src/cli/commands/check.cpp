#include <CLI/CLI.hpp>
#include <iostream>

#include "commands/command.h"
#include "inn/core/progress.h"
#include "inn/dimension/listed_axes.h"
#include "inn/report/table.h"
#include "inn/resampling/maps.h"
#include "inn/resampling/verify.h"
#include "inn/resampling/verify_sizes.h"
#include "options/run_context.h"

namespace inn::cli {
namespace {

struct Options {
  RunContext context;
  bool own_weights = false;
};

/// The network at other sizes of its inputs than the example's: at full width, and cut to half.
struct SizeChecks {
  std::string network;
  std::vector<SizeVerification> verifications;
};

std::vector<SizeChecks> check_sizes(const Network& network, const AnyModel& model, uint64_t seed) {
  const auto source = model.source();
  std::map<GroupId, GroupMaps> halves;
  for (const auto id : source.groups.select({})) {
    const int64_t width = source.groups.groups[id].width;
    halves.emplace(id, first_channels(width, (width + 1) / 2));
  }
  return {
      {"full width", verify_sizes(network, model.present(), {.seed = seed})},
      {"half width", verify_sizes(network, resample(source, halves), {.same_outputs = false, .seed = seed})}};
}

Json sizes_json(const std::vector<SizeChecks>& checks) {
  Json list = Json::array();
  for (const auto& [network, verifications] : checks)
    for (const auto& verification : verifications)
      list.push_back({{"network", network},
                      {"inputs", verification.inputs},
                      {"ok", verification.ok()},
                      {"difference", verification.difference},
                      {"skipped", verification.skipped.empty() ? Json() : Json(verification.skipped)},
                      {"failure", verification.failure.empty() ? Json() : Json(verification.failure)}});
  return list;
}

void print_sizes(const std::vector<SizeChecks>& checks) {
  Table table({"inputs of other sizes", "network", "difference", "result"});
  for (const auto& [network, verifications] : checks) {
    if (verifications.empty())
      table.add_row({"none: the inputs share no batch size", network, "-", "skipped"});
    for (const auto& verification : verifications) {
      const bool compared = verification.skipped.empty();
      table.add_row({verification.inputs, network,
                     compared ? fmt::format("{:.1e}", verification.difference) : "-",
                     !compared           ? "skipped: " + verification.skipped
                     : verification.ok() ? "ok"
                                         : verification.failure});
    }
  }
  std::cout << table;
}

Json verification_json(const std::vector<GroupVerification>& verifications,
                       const std::vector<std::string>& unlisted, bool ok) {
  Json list = Json::array();
  for (const auto& verification : verifications)
    list.push_back({{"name", verification.name},
                    {"width", verification.width},
                    {"ok", verification.ok()},
                    {"permutation_error", verification.permutation_error},
                    {"producer_effect", verification.producer_effect},
                    {"widths", verification.widths},
                    {"failure", verification.failure.empty() ? Json() : Json(verification.failure)}});
  return {{"ok", ok}, {"groups", std::move(list)}, {"unlisted", unlisted}};
}

void print_table(const std::vector<GroupVerification>& verifications) {
  Table table({"group", "width", "permutation error", "producers only", "widths", "result"});
  for (const auto& verification : verifications) {
    std::string widths;
    for (const auto width : verification.widths)
      widths += fmt::format("{}{}", widths.empty() ? "" : " ", width);
    table.add_row({verification.name, std::to_string(verification.width),
                   fmt::format("{:.1e}", verification.permutation_error),
                   fmt::format("{:.1e}", verification.producer_effect), widths,
                   verification.ok() ? "ok" : verification.failure});
  }
  std::cout << table;
}

int run(const Options& options) {
  options.context.start();
  const Network network = read_network(options.context.model, options.context.general.seed);
  const AnyModel model = open_model(network);
  const auto source = model.source();
  std::optional<Progress> bar;
  std::vector<GroupVerification> verifications;
  {
    const auto advance = [&](size_t done, size_t total) {
      if (!bar) bar.emplace(Progress::Options{.label = "groups", .total = static_cast<int64_t>(total)});
      if (done > 0) bar->advance();
    };
    verifications = verify_groups(
        source, {.redraw = !options.own_weights, .seed = options.context.general.seed, .progress = advance});
    bar.reset();
  }
  const auto sizes = check_sizes(network, model, options.context.general.seed);
  const auto holds = [](const auto& list) {
    return std::all_of(list.begin(), list.end(), [](const auto& item) { return item.ok(); });
  };
  const auto unlisted = unlisted_axes(source);
  const bool ok = holds(verifications) && unlisted.empty() &&
                  std::all_of(sizes.begin(), sizes.end(),
                              [&](const SizeChecks& checks) { return holds(checks.verifications); });
  if (options.context.general.json) {
    Json document = verification_json(verifications, unlisted, ok);
    document["sizes"] = sizes_json(sizes);
    print(document);
  } else {
    print_table(verifications);
    print_sizes(sizes);
    for (const auto& failure : unlisted) std::cout << fmt::format("Missing from the groups: {}.\n", failure);
  }
  return ok ? 0 : 1;
}

}  // namespace

Command check_command() {
  return {.name = "check",
          .summary =
              "Verifies the groups: permutes channels, changes widths and input sizes, and runs the network",
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
