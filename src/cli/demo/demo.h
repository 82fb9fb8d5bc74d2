#pragma once
// The whole pipeline on real images: one integral model and the alternatives.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "inn/data/dataset.h"
#include "inn/model/integral_model.h"
#include "inn/network/network.h"

namespace inn::cli {

struct DemoOptions {
  std::filesystem::path output = "demo";
  std::string data = "fashion-mnist";
  int64_t epochs = 2;           // of the ordinary network, and of each of those trained separately
  int64_t integral_epochs = 3;  // of the integral model, which starts from the ordinary network
  uint64_t seed = 0;
  bool quick = false;  // a few images and one epoch: for tests
  /// Starts from the trained model of the zoo and trains nothing: no separate networks.
  bool fast = false;
  /// Called at the start of each stage: "training the ordinary network, 2 epochs".
  std::function<void(const std::string& stage)> stage = nullptr;
};

/// The compared fractions of the widths.
const std::vector<double>& demo_widths();

/// One network of the comparison, with its figures.
struct DemoNetwork {
  std::string
      network;  // "integral", "full" (its network of all widths), "ordinary" or "separate": whose weights
  std::string method;  // "interpolate", "interpolate-refit", "quadrature", "l1" or "none"
  double width;
  int64_t epochs;  // that its weights were trained in all
  double accuracy;
  int64_t parameters, macs;
  Network resampled;
};

/// The label of a row of the comparison, for the table and the plot.
std::string demo_label(const std::string& network, const std::string& method);

/// The images of the demo.
struct DemoImages {
  Dataset train, test;
  Dataset calibration = {};
};
DemoImages read_demo_images(const DemoOptions& options);

struct DemoOutcome {
  IntegralModel integral{nullptr};
  std::vector<DemoNetwork> networks;
};

/// Trains and evaluates the networks; deterministic for given options and number of threads.
///
/// One recipe for all: the ordinary network, the same at each smaller width, and the integral model,
/// converted from the ordinary network and trained on at random widths. Batch norm is recalibrated on the
/// same images in every resampled network; if layers are refit, on the first of these images, that replaces
/// recalibration.
DemoOutcome run_demo(const DemoImages& images, const DemoOptions& options);

}  // namespace inn::cli
