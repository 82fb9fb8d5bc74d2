// What batch norm's statistics an integral model should run with at a width that it was not measured at.
//
//   inn_statistics INTEGRAL.pt2 DATA MEAN STD
//
// Prints one JSON document: the accuracy on DATA's test split at each fraction, with statistics sampled from
// those of the source width; measured anew on 1024 training samples at that width; and interpolated between
// those measured at three anchored widths.

#include <ATen/ATen.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "inn/data/dataset.h"
#include "inn/model/integral_model.h"
#include "inn/train/evaluate.h"

namespace {

using nlohmann::json;
using Statistics = std::map<std::string, at::Tensor>;

constexpr int64_t kSamples = 1024, kBatch = 256;
const std::vector<double> kAnchors{0.25, 0.5, 1};
const std::vector<double> kFractions{1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.3, 0.25};

bool is_statistic(const std::string& name) {
  return name.ends_with("running_mean") || name.ends_with("running_var");
}

inn::Network at_width(inn::IntegralModel& model, double fraction) {
  model->resize(fraction);
  return model->discretize();
}

/// The vector as a function on [0, 1], read at `width` points.
at::Tensor sampled(const at::Tensor& values, int64_t width) {
  return at::upsample_linear1d(values.reshape({1, 1, -1}), {width}, /*align_corners=*/true).flatten();
}

void interpolate(inn::Network& network, double fraction, const std::map<double, Statistics>& anchors) {
  auto above = anchors.lower_bound(fraction);
  if (above == anchors.begin()) ++above;
  const auto below = std::prev(above);
  const double share = (fraction - below->first) / (above->first - below->first);
  for (auto& entry : network.state) {
    if (!is_statistic(entry.name)) continue;
    const auto width = entry.tensor.size(0);
    entry.tensor.copy_((1 - share) * sampled(below->second.at(entry.name), width) +
                       share * sampled(above->second.at(entry.name), width));
  }
}

json measure(inn::IntegralModel& model, const std::string& source, const inn::Normalization& normalization) {
  const auto calibration = inn::open_dataset(source, inn::Split::train).first(kSamples);
  const auto test = inn::open_dataset(source, inn::Split::test);
  const auto recalibrated = [&](double fraction) {
    auto network = at_width(model, fraction);
    inn::recalibrate(network, calibration, {.batch_size = kBatch, .normalization = normalization});
    return network;
  };
  std::map<double, Statistics> anchors;
  for (const double fraction : kAnchors) {
    const auto network = recalibrated(fraction);
    for (const auto& entry : network.state)
      if (is_statistic(entry.name)) anchors[fraction].emplace(entry.name, entry.tensor);
  }
  const auto accuracy = [&](const inn::Network& network) {
    return inn::evaluate(network, test, normalization).accuracy;
  };
  json results = json::array();
  for (const double fraction : kFractions) {
    auto interpolated = at_width(model, fraction);
    interpolate(interpolated, fraction, anchors);
    results.push_back({{"width", fraction},
                       {"sampled", accuracy(at_width(model, fraction))},
                       {"recalibrated", accuracy(recalibrated(fraction))},
                       {"interpolated", accuracy(interpolated)}});
  }
  return results;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "inn_statistics INTEGRAL.pt2 DATA MEAN STD\n");
    return 2;
  }
  try {
    const at::NoGradGuard no_grad;
    auto model = inn::load_integral(argv[1]);
    const inn::Normalization normalization{.mean = {std::stod(argv[3])}, .std = {std::stod(argv[4])}};
    std::printf("%s\n", json{{"results", measure(model, argv[2], normalization)}}.dump(2).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "inn_statistics: %s\n", error.what());
    return 1;
  }
}
