#include "cli/width_budget.h"

#include <CLI/CLI.hpp>
#include <fstream>

#include "cli/general.h"
#include "cli/usage_error.h"
#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "inn/cost/cost.h"
#include "inn/resampling/error_curves.h"

namespace inn::cli {
namespace {

// Savings of single groups do not quite add up: so often the widths are chosen anew for less.
constexpr int kLatencyTrials = 6;

std::vector<GroupId> groups_of(const Model& model, const AnalysedNetwork& source, const WidthChoice& widths) {
  auto ids = source.groups.select(widths.groups);
  if (!widths.exclude.empty()) {
    const auto left_out = source.groups.select(widths.exclude);
    std::erase_if(
        ids, [&](GroupId id) { return std::find(left_out.begin(), left_out.end(), id) != left_out.end(); });
  }
  keep_resizable(model, source, widths, ids);
  for (const auto& [name, width] : prune_options(widths).widths) std::erase(ids, source.groups.find(name));
  require(!ids.empty(), "cli", "Budget: no group is left whose width could change.");
  return ids;
}

LatencyTable read_table(const std::filesystem::path& path, const AnalysedNetwork& source,
                        const std::vector<GroupId>& ids) {
  std::ifstream file(path);
  const Json record = Json::parse(file, nullptr, false);
  LatencyTable table;
  try {
    table.source = record.at("source").get<double>();
    for (const auto id : ids) {
      const auto& group = source.groups.groups[id];
      for (const auto& [width, seconds] : record.at("groups").at(group.name).items())
        table.seconds[id][std::stoll(width)] = seconds.get<double>();
      require(table.seconds[id].contains(group.width), "cli", "");
    }
  } catch (const std::exception&) {
    raise<std::runtime_error>("cli",
                              "--latency-table '{}': it is no table of this network's groups. Remove it to "
                              "have it measured anew.",
                              path.string());
  }
  return table;
}

void write_table(const LatencyTable& table, const AnalysedNetwork& source,
                 const std::filesystem::path& path) {
  Json groups;
  for (const auto& [id, seconds] : table.seconds)
    for (const auto& [width, time] : seconds)
      groups[source.groups.groups[id].name][std::to_string(width)] = time;
  const Json record{{"source", table.source}, {"groups", std::move(groups)}};
  write_atomically(path, record.dump(1) + '\n');
}

/// What the network would take at these widths, whichever channels are kept.
double measured_latency(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths) {
  std::map<GroupId, GroupMaps> maps;
  for (const auto& [id, width] : widths) {
    std::vector<int64_t> kept(static_cast<size_t>(width));
    for (int64_t c = 0; c < width; ++c) kept[static_cast<size_t>(c)] = c;
    maps.emplace(id, selection_maps(source.groups.groups[id].width, kept));
  }
  const Network network = resample(source, maps);
  return measure_latency(network, example_inputs(network, 1)).median;
}

std::map<GroupId, int64_t> within_latency(const AnalysedNetwork& source,
                                          const std::map<GroupId, ErrorCurve>& curves, Budget budget,
                                          const WidthLimits& limits, const std::filesystem::path& path) {
  std::vector<GroupId> ids;
  for (const auto& [id, curve] : curves) ids.push_back(id);
  const bool kept = !path.empty() && std::filesystem::exists(path);
  const LatencyTable table = kept ? read_table(path, source, ids) : measure_latencies(source, ids);
  if (!kept && !path.empty()) write_table(table, source, path);
  const double wanted = budget.is_fraction ? budget.amount * table.source : budget.amount;
  budget.is_fraction = false;
  budget.amount = wanted;
  for (int trial = 0;; ++trial) {
    const auto found = widths_for_budget(source, curves, latency(table), budget, limits);
    const double now = measured_latency(source, found.widths);
    if (now <= wanted || trial + 1 == kLatencyTrials) return found.widths;
    budget.amount *= wanted / now;
  }
}

}  // namespace

void add_budget_options(CLI::App& app, BudgetOptions& options) {
  app.add_option(
         "--budget", options.text,
         "What the network may cost, in place of --keep: macs, params or latency as a fraction of the "
         "source (macs=0.5) or an amount (params=100k, latency=5ms); needs --calibration")
      ->type_name("KIND=F");
  app.add_option("--latency-table", options.latency_table,
                 "Latencies of this machine: read where the file is there, else measured and written")
      ->type_name("FILE.json");
}

void check(const BudgetOptions& options, const WidthChoice& widths, bool has_calibration) {
  require<UsageError>(options.latency_table.empty() || options.text.starts_with("latency"), "cli",
                      "--latency-table is for --budget latency=…");
  if (options.text.empty()) return;
  budget_of(options);
  require<UsageError>(!widths.keep && widths.keep_of.empty(), "cli",
                      "--budget finds the widths; --keep and --keep-of exclude it.");
  require<UsageError>(has_calibration, "cli",
                      "--budget is spent by errors measured on data: --calibration is missing.");
}

Budget budget_of(const BudgetOptions& options) {
  return as_usage([&] { return Budget::read(options.text); });
}

std::map<GroupId, ErrorCurve> curves_of(const Model& model, const WidthChoice& widths,
                                        const MeasuringImages& images, uint64_t seed,
                                        const StepCallback& progress) {
  AnalysedNetwork source = model.source();
  const auto ids = groups_of(model, source, widths);
  source.network.to(images.device);
  return error_curves(source, ids, calibration_of(images, source.network, Measured::activations),
                      {.seed = seed, .progress = progress});
}

WidthChoice within_budget(const Budget& budget, const AnalysedNetwork& source, const WidthChoice& widths,
                          const std::map<GroupId, ErrorCurve>& curves,
                          const std::filesystem::path& latency_table) {
  const WidthLimits limits = prune_options(widths).limits;
  std::map<GroupId, int64_t> found;
  if (budget.of == Budget::Of::latency) {
    found = within_latency(source, curves, budget, limits, latency_table);
  } else {
    const auto cost = budget.of == Budget::Of::macs ? multiply_adds(source) : parameters(source);
    found = widths_for_budget(source, curves, cost, budget, limits).widths;
  }
  WidthChoice result = widths;
  result.keep.reset();
  result.groups.clear();
  result.exclude.clear();
  for (const auto& [id, width] : found)
    result.widths.push_back(fmt::format("{}={}", source.groups.groups[id].name, width));
  return result;
}

}  // namespace inn::cli
