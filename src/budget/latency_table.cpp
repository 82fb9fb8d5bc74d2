#include "inn/budget/latency_table.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "inn/cost/cost.h"
#include "inn/resampling/maps.h"

namespace inn {

using Json = nlohmann::ordered_json;

LatencyTable measure_latencies(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                               const LatencyOptions& options) {
  const auto of = [&](const Network& network) {
    return measure_latency(network, example_inputs(network, 1), options).median;
  };
  LatencyTable table{.source = of(source.network)};
  for (const auto id : groups) {
    const int64_t n = source.groups.groups.at(id).width;
    auto& seconds = table.seconds[id];
    seconds[n] = table.source;
    for (const int64_t quarter : {3, 2, 1}) {
      const int64_t width = std::max<int64_t>(1, n * quarter / 4);
      if (seconds.contains(width)) continue;
      seconds[width] = of(resample(source, {{id, first_channels(n, width)}}));
    }
  }
  return table;
}

WidthCost latency_cost(const LatencyTable& table) {
  WidthCost cost;
  cost.terms.push_back({{}, [source = table.source](const auto&) { return source; }});
  for (const auto& [id, seconds] : table.seconds)
    cost.terms.push_back({{id}, [id = id, seconds = seconds, source = table.source](const auto& widths) {
                            // Below the least measured width time is taken to fall to no less.
                            return read_linearly(seconds, widths[id]) - source;
                          }});
  return cost;
}

LatencyTable read_latency_table(const std::filesystem::path& path, const Groups& groups,
                                const std::vector<GroupId>& ids) {
  std::ifstream file(path);
  const Json record = Json::parse(file, nullptr, false);
  LatencyTable table;
  try {
    table.source = record.at("source").get<double>();
    for (const auto id : ids) {
      const auto& group = groups.groups.at(id);
      for (const auto& [width, seconds] : record.at("groups").at(group.name).items())
        table.seconds[id][std::stoll(width)] = seconds.get<double>();
      require(table.seconds[id].contains(group.width), "budget", "The source's own width is missing.");
    }
  } catch (const std::exception&) {
    raise<std::runtime_error>(
        "budget",
        "Latency table '{}': does not match this network's groups. Delete the file to measure again.",
        path.string());
  }
  return table;
}

void write_latency_table(const LatencyTable& table, const Groups& groups, const std::filesystem::path& path) {
  Json by_name;
  for (const auto& [id, seconds] : table.seconds)
    for (const auto& [width, time] : seconds)
      by_name[groups.groups.at(id).name][std::to_string(width)] = time;
  const Json record{{"source", table.source}, {"groups", std::move(by_name)}};
  write_atomically(path, record.dump(1) + '\n');
}

}  // namespace inn
