#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/command.h"
#include "cli/general.h"
#include "cli/model_source.h"
#include "inn/core/progress.h"
#include "inn/report/table.h"
#include "inn/resampling/proof.h"

namespace inn::cli {
namespace {

struct Options {
  GeneralOptions general;
  ModelOptions model;
  bool own_weights = false;
};

Json proof_json(const std::vector<GroupProof>& proofs, bool ok) {
  Json list = Json::array();
  for (const auto& proof : proofs)
    list.push_back({{"name", proof.name},
                    {"width", proof.width},
                    {"ok", proof.ok()},
                    {"permutation_error", proof.permutation_error},
                    {"producer_effect", proof.producer_effect},
                    {"widths", proof.widths},
                    {"failure", proof.failure.empty() ? Json() : Json(proof.failure)}});
  return {{"ok", ok}, {"groups", std::move(list)}};
}

void print_table(const std::vector<GroupProof>& proofs) {
  Table table({"group", "width", "permuted: error", "producers alone", "widths run", "result"});
  for (const auto& proof : proofs) {
    std::string widths;
    for (const auto width : proof.widths) widths += fmt::format("{}{}", widths.empty() ? "" : " ", width);
    table.add_row({proof.name, std::to_string(proof.width), fmt::format("{:.1e}", proof.permutation_error),
                   fmt::format("{:.1e}", proof.producer_effect), widths, proof.ok() ? "ok" : proof.failure});
  }
  std::cout << table;
}

int run(const Options& options) {
  start(options.general);
  const auto source = read_model(options.model, options.general.seed).source();
  std::optional<Progress> bar;
  std::vector<GroupProof> proofs;
  {
    const auto advance = [&](size_t done, size_t total) {
      if (!bar) bar.emplace(Progress::Options{.label = "groups", .total = static_cast<int64_t>(total)});
      if (done > 0) bar->advance();
    };
    proofs = prove_groups(
        source, {.redraw = !options.own_weights, .seed = options.general.seed, .progress = advance});
    bar.reset();
  }
  const bool ok = std::all_of(proofs.begin(), proofs.end(), [](const auto& proof) { return proof.ok(); });
  if (options.general.json) {
    print(proof_json(proofs, ok));
  } else {
    print_table(proofs);
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
