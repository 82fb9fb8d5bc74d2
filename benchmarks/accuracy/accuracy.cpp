// What is lost without training: a trained network cut by each method at several widths, one run, as JSON.
//
//   inn_accuracy MODEL CALIBRATION TEST MEAN STD KEEP [GROUPS] [SAMPLES]
//
// MODEL is a .pt2; CALIBRATION and TEST are folders of images; MEAN and STD are "0.485,0.456,0.406", KEEP the
// fractions "0.7,0.5,0.3". GROUPS is a glob over the groups that are cut; without it, all of them. SAMPLES of
// the calibration images are used.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "inn/data/batches.h"
#include "inn/data/dataset.h"
#include "inn/model/integral_model.h"
#include "inn/network/files.h"
#include "inn/resampling/data_quadrature.h"
#include "inn/resampling/error_curves.h"
#include "inn/resampling/folding.h"
#include "inn/resampling/importance.h"
#include "inn/train/evaluate.h"

namespace {

using namespace inn;
using Json = nlohmann::ordered_json;

constexpr int64_t kBatch = 100;

std::vector<double> numbers(const std::string& text) {
  std::vector<double> result;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) result.push_back(std::stod(part));
  return result;
}

/// A model, the images it is measured on, and the groups that are cut.
struct Setting {
  AnalysedNetwork source;
  Dataset images, test;
  Normalization normalization;
  Calibration calibration;
  std::vector<GroupId> groups;
};

double accuracy(const Setting& setting, const Network& network) {
  return evaluate(network, setting.test, setting.normalization).accuracy;
}

std::map<GroupId, int64_t> uniform_widths(const Setting& setting, double keep) {
  std::map<GroupId, int64_t> widths;
  for (const auto id : setting.groups) {
    const auto width = static_cast<double>(setting.source.groups.groups[id].width);
    widths[id] = std::max<int64_t>(1, std::llround(keep * width));
  }
  return widths;
}

/// A source and the maps that a method makes of it.
struct Cut {
  AnalysedNetwork source;
  std::map<GroupId, GroupMaps> maps;
};

Cut cut(const Setting& setting, const std::string& method, const std::map<GroupId, int64_t>& widths) {
  const auto& source = setting.source;
  if (method == "quadrature") return {source, find_nodes(source, widths, setting.calibration).maps};
  if (method == "interpolate") {
    ConvertOptions conversion;
    for (const auto& [id, width] : widths) conversion.group_names.push_back(source.groups.groups[id].name);
    auto integral = convert(source.network, conversion);
    for (const auto& [id, width] : widths) integral->group(source.groups.groups[id].name).resize(width);
    return {{integral->network(), integral->structure()}, integral->maps()};
  }
  Cut result{source, {}};
  for (const auto& [id, width] : widths) {
    const int64_t n = source.groups.groups[id].width;
    if (method == "fold") {
      result.maps.emplace(id, folding_maps(channel_clusters(source, id, width, 0)));
    } else {
      const auto scores = importance_scores(source, {id}, find_importance(method));
      result.maps.emplace(id, selection_maps(n, most_important(scores.at(id), width)));
    }
  }
  return result;
}

/// One line of the table: batch norm recalibrated, or every layer refit.
Json measure(const Setting& setting, const std::string& method, bool refits,
             const std::map<GroupId, int64_t>& widths) {
  const auto start = std::chrono::steady_clock::now();
  const Cut made = cut(setting, method, widths);
  Network network = resample(made.source, made.maps);
  network.set_training(false);
  if (refits) {
    refit(network, made.source, made.maps, setting.calibration);
  } else {
    recalibrate(network, setting.images, setting.normalization, kBatch);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return {
      {"method", method}, {"refit", refits}, {"accuracy", accuracy(setting, network)}, {"seconds", seconds}};
}

Json measure_all(const Setting& setting, const std::vector<double>& fractions) {
  Json results = Json::array();
  const auto add = [&](double keep, const char* widths_by, Json line) {
    line["keep"] = keep;
    line["widths"] = widths_by;
    std::cerr << line.dump() << '\n';
    results.push_back(std::move(line));
  };
  const auto start = std::chrono::steady_clock::now();
  const auto curves = error_curves(setting.source, setting.groups, setting.calibration);
  const double curve_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const WidthCost cost = multiply_adds(setting.source);
  for (const double keep : fractions) {
    const auto widths = uniform_widths(setting, keep);
    for (const char* method : {"l1", "interpolate", "fold", "quadrature"})
      for (const bool refits : {false, true}) add(keep, "uniform", measure(setting, method, refits, widths));
    auto all = source_widths(setting.source.groups);
    for (const auto& [id, width] : widths) all[id] = width;
    const auto chosen =
        widths_for_budget(setting.source, curves, cost, {Budget::Of::macs, cost(all), false}).widths;
    add(keep, "chosen at equal multiply-adds", measure(setting, "quadrature", true, chosen));
  }
  return {{"source", accuracy(setting, setting.source.network)},
          {"samples", setting.images.size()},
          {"curve_seconds", curve_seconds},
          {"results", std::move(results)}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    std::cerr << "usage: inn_accuracy MODEL CALIBRATION TEST MEAN STD KEEP [GROUPS] [SAMPLES]\n";
    return 2;
  }
  const at::NoGradGuard no_grad;
  Setting setting{.source = analyse(read_pt2(argv[1])),
                  .images = open_dataset(argv[2], Split::any),
                  .test = open_dataset(argv[3], Split::any),
                  .normalization = {numbers(argv[4]), numbers(argv[5])},
                  .calibration = {},
                  .groups = {}};
  setting.source.network.set_training(false);
  if (argc > 8) setting.images = setting.images.first(std::stoll(argv[8]));
  setting.groups =
      setting.source.groups.select(argc > 7 ? std::vector<std::string>{argv[7]} : std::vector<std::string>{});
  const Batches batches(setting.images, {.batch_size = kBatch, .normalization = setting.normalization});
  const Epoch epoch = batches.epoch(0);
  setting.calibration.batch = [&](int64_t index) -> std::optional<CalibrationBatch> {
    if (index >= epoch.size()) return std::nullopt;
    return CalibrationBatch{{epoch[index].inputs}};
  };
  std::cout << measure_all(setting, numbers(argv[6])).dump(1) << '\n';
}
