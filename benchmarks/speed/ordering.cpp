// Orders the nodes of cost matrices: of random points, of rows of matrices of low rank and noise, of a
// model's groups. Writes each matrix for ordering.py, which puts another solver beside it.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "inn/network/files.h"
#include "inn/ordering/path_cost.h"
#include "inn/ordering/shortest_path.h"
#include "inn/resampling/rows.h"

namespace inn::bench {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::filesystem::path folder;
  std::vector<std::filesystem::path> models;
  double long_seconds = 20;
};

/// Rows of rank 8 and noise, as trained weights are.
at::Tensor drawn_rows(int64_t n, int64_t columns) {
  constexpr int64_t kRank = 8;
  constexpr double kNoise = 0.3;
  return at::mm(at::randn({n, kRank}), at::randn({kRank, columns})) / std::sqrt(kRank) +
         kNoise * at::randn({n, columns});
}

std::map<std::string, at::Tensor> costs_of(const Options& options) {
  std::map<std::string, at::Tensor> costs;
  at::manual_seed(0);
  for (const int64_t n : {64, 256, 1024, 2048}) {
    const auto points = at::rand({n, 2});
    costs.emplace(fmt::format("{} random points in the plane", n), at::cdist(points, points));
    costs.emplace(fmt::format("{} rows of rank 8 and noise", n), path_cost({drawn_rows(n, 256)}));
  }
  for (const auto& path : options.models) {
    const auto source = analyse(read_pt2(path));
    std::map<int64_t, GroupId> of_width;
    for (const auto id : source.groups.select({})) of_width[source.groups.groups[id].width] = id;
    for (const auto& [width, id] : of_width) {
      std::vector<at::Tensor> rows;
      for (const auto& member : source.groups.groups[id].members)
        if (source.network.state[member.state].tensor.is_floating_point())
          rows.push_back(member_rows(source.network, member, width));
      if (width > 3)
        costs.emplace(fmt::format("{}: {} ({})", path.stem().string(), source.groups.groups[id].name, width),
                      path_cost(rows));
    }
  }
  return costs;
}

/// What converting and scoring one wide group takes, step by step.
Json measured_wide(int64_t channels) {
  constexpr int64_t kColumns = 2048;
  const auto rows = drawn_rows(channels, kColumns);
  Json result{{"channels", channels}, {"columns", kColumns}, {"threads", at::get_num_threads()}};
  const auto timed = [&](const char* name, const auto& work) {
    const auto begin = std::chrono::steady_clock::now();
    auto value = work();
    result[name] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return value;
  };
  timed("distance_sums_seconds", [&] { return distance_sums(rows); });
  const auto cost = timed("path_cost_seconds", [&] { return path_cost({rows}); });
  const auto order = timed("shortest_path_seconds", [&] { return shortest_path(cost); });
  result["length"] = path_length(cost, order);
  return result;
}

Json measured(const std::string& name, const at::Tensor& cost, const Options& options, size_t index) {
  std::vector<int64_t> start(static_cast<size_t>(cost.size(0)));
  std::iota(start.begin(), start.end(), 0);
  const auto begin = std::chrono::steady_clock::now();
  const auto order = shortest_path(cost);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const auto longer = shortest_path(cost, {.seconds = options.long_seconds});
  const auto file = fmt::format("{}.f32", index);
  const auto values = cost.to(at::kFloat).contiguous();
  std::ofstream(options.folder / file, std::ios::binary)
      .write(static_cast<const char*>(values.const_data_ptr()), values.numel() * 4);
  return {{"case", name},
          {"nodes", cost.size(0)},
          {"start", path_length(cost, start)},
          {"seconds", seconds},
          {"length", path_length(cost, order)},
          {"long_length", path_length(cost, longer)},
          {"file", file}};
}

}  // namespace
}  // namespace inn::bench

int main(int argc, char** argv) {
  using namespace inn::bench;
  Options options;
  CLI::App app("Times shortest_path and writes FOLDER/N.f32, the cost matrices; prints JSON");
  app.add_option("FOLDER", options.folder, "Where the matrices go")
      ->required()
      ->check(CLI::ExistingDirectory);
  app.add_option("--models", options.models, "Networks (.pt2) whose groups are ordered too");
  app.add_option("--long-seconds", options.long_seconds, "Of the search for the best known path")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  Json cases = Json::array();
  for (const auto& [name, cost] : costs_of(options)) {
    std::cerr << "ordering: " << name << '\n';
    cases.push_back(measured(name, cost, options, cases.size()));
  }
  Json wide = Json::array();
  for (const int64_t channels : {1024, 2048, 8192}) {
    std::cerr << "ordering: a group of " << channels << " channels\n";
    wide.push_back(measured_wide(channels));
  }
  std::cout << Json{{"benchmark", "ordering"}, {"cases", cases}, {"wide", wide}}.dump(2) << '\n';
}
