#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "commands/command.h"
#include "inn/core/error.h"
#include "inn/cost/cost.h"
#include "inn/depth/cut_depth.h"
#include "inn/report/table.h"
#include "inn/train/dataset_calibration.h"
#include "options/limits.h"
#include "options/run_context.h"
#include "options/usage_error.h"
#include "options/width_choice.h"
#include "output.h"
#include "step_bar.h"

namespace inn::cli {
namespace {

struct DepthArguments {
  RunContext context;
  CalibrationOptions calibration;
  std::vector<std::string> depths;  // "layer1=3"
  double keep = 0;                  // 0: not given
  CutDepthOptions cut;
  bool no_refit = false, dynamic_batch = false;
  std::filesystem::path output;
};

/// What --keep-depth and --depth say of the chains; the latter wins.
std::map<std::string, int64_t> wanted_depths(const DepthArguments& options,
                                             const std::vector<DepthGroup>& groups) {
  std::map<std::string, int64_t> depths;
  if (options.keep > 0) depths = depths_at(groups, options.keep);
  for (const auto& text : options.depths) {
    const auto [name, depth] = read_named_count("--depth", text, "depth");
    depths[find_depth_group(groups, name).name] = depth;
  }
  return depths;
}

int list(const DepthArguments& options, const std::vector<DepthGroup>& groups) {
  Json chains = Json::array();
  for (const auto& group : groups) {
    Json names = Json::array();
    for (const auto& block : group.blocks) names.push_back(block.name);
    chains.push_back({{"name", group.name}, {"depth", group.blocks.size()}, {"blocks", std::move(names)}});
  }
  show(options.context.general, {{"chains", std::move(chains)}}, [&] {
    Table table({"chain", "depth", "blocks"});
    for (const auto& group : groups) {
      const auto& blocks = group.blocks;
      table.add_row({group.name, std::to_string(blocks.size()),
                     fmt::format("{} … {}", blocks.front().name, blocks.back().name)});
    }
    std::cout << table;
    if (groups.empty()) std::cout << "No two residual blocks in a row are alike.\n";
  });
  return 0;
}

Json document_of(const DepthArguments& options, const CutDepth& made, const CostReport& before,
                 const CostReport& after) {
  Json chains = Json::array();
  for (const auto& chain : made.chains)
    chains.push_back(
        {{"name", chain.name}, {"before", chain.before}, {"after", chain.after}, {"removed", chain.removed}});
  return {{"output", options.output.string()},
          {"choice", options.cut.choice},
          {"chains", std::move(chains)},
          {"output_error", {{"before_refit", made.error_before}, {"after", made.error_after}}},
          {"parameters", {{"before", before.parameters}, {"after", after.parameters}}},
          {"macs", {{"before", before.macs}, {"after", after.macs}}}};
}

int run(DepthArguments options) {
  const auto device = options.context.start();
  const bool cuts = options.keep > 0 || !options.depths.empty();
  require<UsageError>(
      cuts == !options.output.empty(), "cli",
      "-o OUT and one of --keep-depth and --depth belong together; without them the chains are listed.");
  require<UsageError>(!cuts || !options.calibration.data.empty(), "cli",
                      "A cut of depth requires --calibration.");
  if (cuts) check_network_output(options.output);
  auto calibration = read_calibration(options.calibration, options.context.images);
  const auto [model, normalization] = options.context.open_for(calibration ? &*calibration : nullptr);
  const AnalysedNetwork source = analyse_as_written(model.present());
  const auto groups = find_depth_groups(source.network);
  if (!cuts) return list(options, groups);
  fit_calibration(*calibration, source.network);
  const CalibrationData data{*calibration, normalization, device, options.calibration.augmentation};
  options.cut.refit = !options.no_refit;
  options.cut.seed = options.context.general.seed;
  options.cut.choice_progress = step_bar("choice", "runs");
  options.cut.refit_progress = step_bar("refit", "layers");
  const auto made = cut_depth(source, wanted_depths(options, groups),
                              calibration_of(data, source.network, Measured::activations), options.cut);
  write_network(made.network, options.output, options.dynamic_batch);
  const CostReport before = cost_of(source.network), after = cost_of(made.network);
  show(options.context.general, document_of(options, made, before, after), [&] {
    Table table({"chain", "depth before", "depth", "removed"});
    for (const auto& chain : made.chains)
      table.add_row({chain.name, std::to_string(chain.before), std::to_string(chain.after),
                     fmt::format("{}", fmt::join(chain.removed, ", "))});
    std::cout << table
              << fmt::format("Error of the outputs on the calibration samples: {}, {} before the refits.\n",
                             format_percent(made.error_after), format_percent(made.error_before))
              << fmt::format("Wrote {}: {} parameters, {} before; {} multiply-adds, {} before.\n",
                             options.output.string(), format_count(after.parameters),
                             format_count(before.parameters), format_count(after.macs),
                             format_count(before.macs));
  });
  return 0;
}

}  // namespace

Command depth_command() {
  return {
      .name = "depth",
      .summary = "Lists chains of residual blocks, or removes blocks and refits the others, without training",
      .examples =
          "  inn depth resnet20.pt2\n"
          "  inn depth resnet56.pt2 -o shallow.pt2 --keep-depth 0.67 --calibration images/\n"
          "  inn depth decoder.pt2 -o shallow.pt2 --depth layers=27 --calibration tokens.pt --choice "
          "similarity",
      .declare = [](CLI::App& app) -> std::function<int()> {
        auto options = std::make_shared<DepthArguments>();
        options->context.add_model(app);
        app.add_option("--output,-o", options->output, "Output file")->type_name("OUT");
        app.add_option("--keep-depth", options->keep, "Fraction of the blocks of each chain to keep")
            ->type_name("F")
            ->check(CLI::Range(1e-6, 1.0));
        app.add_option("--depth", options->depths, "Number of blocks of one chain")->type_name("NAME=N ...");
        app.add_option("--choice", options->cut.choice,
                       "Which blocks go: error (least change of the outputs, one after another) or "
                       "similarity (of input "
                       "and output)")
            ->capture_default_str()
            ->check(CLI::IsMember({"error", "similarity"}));
        app.add_option("--choosing-samples", options->cut.choosing_samples,
                       "Number of samples that the choice looks at")
            ->capture_default_str()
            ->check(at_least(1));
        app.add_flag("--no-refit", options->no_refit, "Leave the other layers as they are");
        add_calibration_options(app, options->calibration);
        add_dynamic_batch_option(app, options->dynamic_batch);
        options->context.add_options(app, {.data = true, .device = true, .html = true});
        return [options] { return run(*options); };
      }};
}

}  // namespace inn::cli
