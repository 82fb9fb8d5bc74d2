#include <CLI/CLI.hpp>
#include <iostream>

#include "commands/command.h"
#include "inn/core/progress.h"
#include "inn/dimension/listed_axes.h"
#include "inn/report/table.h"
#include "inn/resampling/equal_channels.h"
#include "inn/resampling/maps.h"
#include "inn/resampling/verify.h"
#include "inn/resampling/verify_sizes.h"
#include "options/run_context.h"

namespace inn::cli {
namespace {

struct CheckArguments {
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

/// The network at other sizes of its inputs than the example's: at full width, and cut to half.
struct SizeChecks {
  std::string network;
  std::vector<SizeVerification> verifications;
};

std::vector<SizeChecks> check_sizes(const Network& network, const AnyModel& model, uint64_t seed) {
  const auto& source = model.source();
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

Json verification_json(const std::vector<Checked>& checked, const std::vector<std::string>& unlisted,
                       bool ok) {
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
  return {{"ok", ok}, {"groups", std::move(list)}, {"unlisted", unlisted}};
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

int run(const CheckArguments& options) {
  options.context.start();
  const Network network = read_network(options.context.model, options.context.general.seed);
  const AnyModel model = open_model(network);
  const auto& source = model.source();
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
  const auto sizes = check_sizes(network, model, options.context.general.seed);
  const auto holds = [](const auto& list) {
    return std::all_of(list.begin(), list.end(), [](const auto& item) { return item.ok(); });
  };
  const auto unlisted = unlisted_axes(source);
  const bool ok = holds(checked) && unlisted.empty() &&
                  std::all_of(sizes.begin(), sizes.end(),
                              [&](const SizeChecks& checks) { return holds(checks.verifications); });
  if (options.context.general.json) {
    Json document = verification_json(checked, unlisted, ok);
    document["sizes"] = sizes_json(sizes);
    print(document);
  } else {
    print_table(checked);
    print_sizes(sizes);
    for (const auto& failure : unlisted) std::cout << fmt::format("Missing from the groups: {}.\n", failure);
  }
  return ok ? 0 : 1;
}

}  // namespace

Command check_command() {
  return {.name = "check",
          .summary =
              "Verifies the groups: permutes channels, changes widths and input sizes, makes channels equal",
          .examples =
              "  inn check resnet20.pt2\n"
              "  inn check zoo:resnet20 --json",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<CheckArguments>();
            options->context.add_model(app);
            app.add_flag("--own-weights", options->own_weights,
                         "Use the model's own weights; by default random weights, so that no branch is dead");
            options->context.add_options(app, {});
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
