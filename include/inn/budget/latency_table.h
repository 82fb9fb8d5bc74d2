#pragma once
// Latency as a function of widths, measured on this machine.

#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

#include "inn/budget/width_cost.h"
#include "inn/cost/latency.h"
#include "inn/dimension/groups.h"

namespace inn {

/// Seconds that one run takes with the source's widths, and with each group alone at some widths.
struct LatencyTable {
  double source = 0;
  std::map<GroupId, std::map<int64_t, double>> seconds = {};
};

/// Measures the table on this machine, with batch 1, at quarters of each group's width.
LatencyTable measure_latencies(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                               const LatencyOptions& options = {});
/// Latency under the assumption that the savings of groups add up, linear between measured widths. An
/// estimate for choosing widths; measure the result.
WidthCost latency_cost(const LatencyTable& table);

/// Reads a table that `write_latency_table` wrote. Throws std::runtime_error naming the file if it does not
/// match `groups`.
LatencyTable read_latency_table(const std::filesystem::path& path, const Groups& groups,
                                const std::vector<GroupId>& ids);
/// Writes the table as JSON, {"source": s, "groups": {name: {width: seconds}}}, beside `path` and renamed.
void write_latency_table(const LatencyTable& table, const Groups& groups, const std::filesystem::path& path);

}  // namespace inn
