#include <CLI/CLI.hpp>
#include <iostream>

#include "commands/command.h"
#include "inn/core/progress.h"
#include "inn/report/table.h"
#include "inn/resampling/verify.h"
#include "options/general.h"
#include "options/model_source.h"

namespace inn::cli {
namespace {

struct Options {
  GeneralOptions general;
  ModelOptions model;
  bool own_weights = false;
};

Json verification_json(const std::vector<GroupVerification>& verifications, bool ok) {
  Json list = Json::array();
  for (const auto& verification : verifications)
    list.push_back({{"name", verification.name},
                    {"width", verification.width},
                    {"ok", verification.ok()},
                    {"permutation_error", verification.permutation_error},
                    {"producer_effect", verification.producer_effect},
                    {"widths", verification.widths},
                    {"failure", verification.failure.empty() ? Json() : Json(verification.failure)}});
  return {{"ok", ok}, {"groups", std::move(list)}};
}

void print_table(const std::vector<GroupVerification>& verifications) {
  Table table({"group", "width", "permuted: error", "producers alone", "widths run", "result"});
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
  start(options.general);
  const auto source = read_model(options.model, options.general.seed).source();
  std::optional<Progress> bar;
  std::vector<GroupVerification> verifications;
  {
    const auto advance = [&](size_t done, size_t total) {
      if (!bar) bar.emplace(Progress::Options{.label = "groups", .total = static_cast<int64_t>(total)});
      if (done > 0) bar->advance();
    };
    verifications = verify_groups(
        source, {.redraw = !options.own_weights, .seed = options.general.seed, .progress = advance});
    bar.reset();
  }
  const bool ok = std::all_of(verifications.begin(), verifications.end(),
                              [](const auto& verification) { return verification.ok(); });
  if (options.general.json) {
    print(verification_json(verifications, ok));
  } else {
    print_table(verifications);
  }
  return ok ? 0 : 1;
}

}  // namespace

Command check_command() {
  return {.name = "check",
          .summary = "Proves the groups: permutes each one's channels, changes its width, runs",
          .examples =
              "  inn check resnet20.pt2\n"
              "  inn check zoo:resnet20 --json",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<Options>();
            add_model_options(app, options->model);
            app.add_flag("--own-weights", options->own_weights,
                         "Keep the model's weights; else they are drawn anew, so that no branch is dead");
            add_general_options(app, options->general);
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
