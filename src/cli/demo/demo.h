#pragma once
// The main job on real images: one integral model beside what it is to be compared with.

#include <cstdint>
#include <filesystem>
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
};

/// The fractions of the widths that are compared.
const std::vector<double>& demo_widths();

/// One network of the comparison, with its figures.
struct DemoNetwork {
  std::string network;  // "integral", "ordinary" or "separate": whose weights
  std::string method;   // "interpolate", "interpolate-refit", "quadrature", "l1" or "none"
  double width;
  double accuracy;
  int64_t parameters, macs;
  Network resampled;
};

/// What a line of the comparison is called, for the table and the plot.
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

/// Trains the networks and measures them all; a function of the options and the number of threads.
///
/// One recipe for all: the ordinary network, the same at each smaller width, and the integral model,
/// converted from the ordinary network and trained on at random widths. Batch norm is recalibrated, on the
/// same images, in every network that was resampled; where layers are refit, that is in its place, on the
/// first of these images.
DemoOutcome run_demo(const DemoImages& images, const DemoOptions& options);

}  // namespace inn::cli
