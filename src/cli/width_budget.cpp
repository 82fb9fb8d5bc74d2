#include "width_budget.h"

#include <CLI/CLI.hpp>
#include <fstream>

#include "general.h"
#include "inn/budget/error_curves.h"
#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "inn/cost/cost.h"
#include "inn/dimension/fraction_groups.h"
#include "limits.h"
#include "usage_error.h"

namespace inn::cli {
namespace {

// Savings of single groups do not quite add up: so often the widths are chosen anew for less.
constexpr int kLatencyTrials = 6;

std::vector<GroupId> groups_of(const Model& model, const AnalysedNetwork& source, const WidthChoice& widths) {
  auto ids = widths.groups.empty() ? learned_groups(source) : source.groups.select(widths.groups);
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
  for (const auto& [id, width] : widths)
    maps.emplace(id, first_channels(source.groups.groups[id].width, width));
  const Network network = resample(source, maps);
  return measure_latency(network, example_inputs(network, 1)).median;
}

LatencyTable latency_table_of(const AnalysedNetwork& source, const std::map<GroupId, ErrorCurve>& curves,
                              const std::filesystem::path& path) {
  std::vector<GroupId> ids;
  for (const auto& [id, curve] : curves) ids.push_back(id);
  if (!path.empty() && std::filesystem::exists(path)) return read_table(path, source, ids);
  LatencyTable table = measure_latencies(source, ids);
  if (!path.empty()) write_table(table, source, path);
  return table;
}

std::map<GroupId, int64_t> within_latency(const AnalysedNetwork& source,
                                          const std::map<GroupId, ErrorCurve>& curves,
                                          const LatencyTable& table, Budget budget,
                                          const WidthLimits& limits) {
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

/// Returns what chooses widths within the budget by curves.
ChooseWidths choosing(const AnalysedNetwork& source, const std::map<GroupId, ErrorCurve>& curves,
                      const Budget& budget, const WidthLimits& limits, const std::filesystem::path& table) {
  if (budget.of == Budget::Of::latency)
    return [&source, budget, limits, latencies = latency_table_of(source, curves, table)](const auto& now) {
      return within_latency(source, now, latencies, budget, limits);
    };
  const auto cost = budget.of == Budget::Of::macs ? multiply_adds(source) : parameters(source);
  return [&source, budget, limits, cost](const auto& now) {
    return widths_for_budget(source, now, cost, budget, limits).widths;
  };
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
  add_recheck_option(app, options.rechecks);
}

void add_recheck_option(CLI::App& app, int64_t& rechecks) {
  app.add_option(
         "--recheck", rechecks,
         "How often widths are chosen anew by what the cuts lose together; each time as many networks "
         "are refit as groups are cut")
      ->check(at_least(0))
      ->capture_default_str();
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

std::map<GroupId, ErrorCurve> curves_of(const CurveMeasuring& measuring, const WidthChoice& widths,
                                        const StepCallback& progress) {
  AnalysedNetwork source = measuring.model.source();
  const auto ids = groups_of(measuring.model, source, widths);
  source.network.to(measuring.images.device);
  return error_curves(source, ids, calibration_of(measuring.images, source.network, Measured::activations),
                      {.seed = measuring.seed, .progress = progress});
}

WidthChoice within_budget(const Budget& budget, const CurveMeasuring& measuring, const WidthChoice& widths,
                          const std::map<GroupId, ErrorCurve>& curves, int64_t rechecks,
                          const StepCallback& progress, const std::filesystem::path& latency_table) {
  const AnalysedNetwork source = measuring.model.source();
  const auto choose = choosing(source, curves, budget, prune_options(widths).limits, latency_table);
  std::map<GroupId, int64_t> found;
  if (rechecks == 0) {
    found = choose(curves);
  } else {
    AnalysedNetwork placed = source;
    placed.network.to(measuring.images.device);
    found = choose_jointly(placed, curves, choose,
                           calibration_of(measuring.images, placed.network, Measured::activations), rechecks,
                           {.seed = measuring.seed, .progress = progress})
                .widths;
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
