// What the dimension algebra makes of one network.
//
//   inn_coverage ARCHIVE.pt2 OUT [--each]
//
// Counts the multiply-adds of its example inputs; verifies all groups at once (with --each every group by
// itself), the law of equal channels on a few of them, and that every axis of every parameter is in a group; cuts
// all to half, runs that at other batch and input sizes, and writes it to OUT.pt2, with its inputs and outputs in
// OUT.pt for Python to compare. Prints one JSON line.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <chrono>
#include <filesystem>
#include <iostream>

#include "inn/cost/cost.h"
#include "inn/dimension/listed_axes.h"
#include "inn/network/files.h"
#include "inn/resampling/equal_channels.h"
#include "inn/resampling/maps.h"
#include "inn/resampling/verify.h"
#include "inn/resampling/verify_sizes.h"
#include "resampling/hand_over.h"

namespace {

using Json = nlohmann::ordered_json;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Returns at most `count` of the resizable groups: the first, the last, others evenly between.
std::vector<inn::GroupId> some_groups(const inn::AnalysedNetwork& source, size_t count) {
  const auto all = source.groups.select({});
  if (all.size() <= count) return all;
  std::vector<inn::GroupId> some;
  for (size_t k = 0; k < count; ++k) some.push_back(all[k * (all.size() - 1) / (count - 1)]);
  return some;
}

constexpr size_t kEqualChannelsGroups = 2;  // each takes six runs in float64

Json run(const std::string& archive, const std::string& out, bool each) {
  Json report{{"archive", archive}};
  const auto network = inn::read_pt2(archive);
  report["calls"] = network.calls.size();
  const auto start = std::chrono::steady_clock::now();
  const auto source = inn::analyse(network);
  report["analysis_s"] = seconds_since(start);
  const auto& groups = source.groups.groups;
  report["groups"] =
      std::count_if(groups.begin(), groups.end(), [](const auto& group) { return !group.positions; });
  report["pinned"] = Json::array();
  for (const auto& group : groups)
    if (group.pinned && !group.positions)
      report["pinned"].push_back({{"group", group.name}, {"width", group.width}, {"reason", *group.pinned}});
  report["unknown_operators"] = source.groups.unknown_operators;
  report["failures"] = Json::array();
  try {
    report["macs"] = inn::cost_of(network, inn::example_inputs(network)).macs;
  } catch (const std::exception& error) {
    report["failures"].push_back(std::string("cost: ") + error.what());
  }
  const auto note = [&](const inn::GroupVerification& verification) {
    if (!verification.ok()) report["failures"].push_back(verification.name + ": " + verification.failure);
  };
  if (each) {
    for (const auto& verification : inn::verify_groups(source, {})) note(verification);
  } else {
    const auto verification = inn::verify_together(source, {});
    note(verification);
    report["permutation_error"] = verification.permutation_error;
    report["producer_effect"] = verification.producer_effect;
  }
  for (const auto& axis : inn::unlisted_axes(source)) report["failures"].push_back("not in a group: " + axis);
  report["no_integral"] = Json::array();
  if (const auto some = some_groups(source, kEqualChannelsGroups); !some.empty())
    for (const auto& verification : inn::verify_equal_channels(source, {.groups = some})) {
      if (!verification.ok()) report["failures"].push_back(verification.name + ": " + verification.failure);
      if (!verification.exception.empty())
        report["no_integral"].push_back(verification.name + ": " + verification.exception);
    }
  try {
    const auto half = inn::resample(source, inn::test::half_of_every_group(source));
    std::vector<std::vector<c10::IValue>> runs{inn::random_inputs(half, 1)};
    report["other_sizes"] = 0;
    const auto sizes = inn::other_input_sizes(network);
    const auto verifications = inn::verify_sizes(network, half, {.same_outputs = false});
    for (size_t k = 0; k < verifications.size(); ++k) {
      const auto& [inputs, difference, skipped, failure] = verifications[k];
      if (!failure.empty()) report["failures"].push_back(inputs + ": " + failure);
      if (!skipped.empty()) report["skipped_sizes"].push_back(inputs + ": " + skipped);
      if (!failure.empty() || !skipped.empty()) continue;
      report["other_sizes"] = report["other_sizes"].get<int>() + 1;
      // In Python a network runs at other sizes where they are dynamic only.
      if (!network.ranges.empty()) runs.push_back(inn::random_inputs(half, sizes[k], 2 + k));
    }
    const auto written = std::filesystem::absolute(out);
    inn::test::hand_over(half, runs, written.parent_path(), written.filename().string());
  } catch (const std::exception& error) {
    report["failures"].push_back(std::string("half: ") + error.what());
  }
  return report;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::cerr << "usage: inn_coverage ARCHIVE.pt2 OUT [--each]\n";
    return 2;
  }
  const at::NoGradGuard no_grad;
  try {
    const auto report = run(arguments[1], arguments[2], count > 3 && std::string(arguments[3]) == "--each");
    std::cout << report.dump() << std::endl;
    return report["failures"].empty() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cout << Json{{"archive", arguments[1]}, {"failures", {error.what()}}}.dump() << std::endl;
    return 1;
  }
}
