#pragma once
// One model by several methods at several widths, on the same data.

#include <c10/core/Device.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "inn/data/dataset.h"
#include "inn/methods/resample_by.h"

namespace inn {

/// The methods that are compared where none are named.
const std::vector<std::string>& compared_methods();

struct ComparisonOptions {
  std::vector<std::string> methods = compared_methods();
  std::vector<double> keep = {};          // the fractions of the widths
  std::vector<int64_t> samples = {2048};  // of the calibration data; 0: all
  PruneOptions widths = {};               // which groups, and limits
  bool chosen = true;                     // quadrature at widths chosen for as many multiply-adds, too
  int64_t rechecks = 2;                   // of those widths
  MethodOptions how = {};                 // all but the method and whether it refits
  int64_t batch_size = 256;               // of evaluation
};

/// What the networks are made and measured with.
struct ComparisonData {
  const Dataset& calibration;
  const Dataset& evaluated;
  const Normalization& normalization;
  c10::Device device;
};

/// How good a network is: by labels, or where there are none by the outputs of the source.
struct Quality {
  double rate = 0;              // of right answers, or of those that agree with the source's
  int64_t hits = 0, count = 0;  // rate = hits/count
  double loss = 0;              // mean cross entropy, or the outputs' squared error over their variation
};

/// One way of making a network, a line of the table.
struct Variant {
  std::string method;
  bool refit;
  bool chosen;  // widths chosen for as many multiply-adds as the uniform cut
  int64_t samples;
};

/// Returns "l1", "l1, refit", "quadrature, widths chosen".
std::string label_of(const Variant& variant);

/// One network of the comparison.
struct Compared {
  std::string failure = {};  // why there is none: then the rest is empty
  bool interrupted = false;  // by Ctrl-C
  Quality quality = {};
  std::map<std::string, int64_t> widths = {};  // by group
  double macs = 0, parameters = 0;             // of one input
  double seconds = 0;                          // that making it took
};

struct ComparedVariant {
  Variant variant;
  std::vector<Compared> networks;  // one for each fraction
  double curve_seconds = 0;        // that error curves took, where widths were chosen
};

struct Comparison {
  bool labelled;  // whether qualities are by labels
  Quality source;
  double source_macs, source_parameters;
  std::vector<double> keep;
  std::vector<double> uniform_macs;  // of uniform widths, at each fraction
  std::vector<ComparedVariant> variants;

  /// Networks that were not made, since Ctrl-C came.
  int64_t interrupted() const;
};

/// Returns all networks measured: each method with batch norm recalibrated and with layers refit, for every
/// number of samples, and the quadrature with its layers refit at widths that are chosen, under the limits,
/// for as many multiply-adds as the uniform cut has; its error curves are computed once for all fractions. A
/// network that can't be made says why and ends nothing. After Ctrl-C, where an InterruptGuard lives, those
/// that are missing say so. `progress` is called with the networks made so far, often. Throws
/// std::invalid_argument where the choice of groups or the data does not fit the model.
Comparison compare(const AnyModel& model, const ComparisonOptions& options, const ComparisonData& data,
                   const StepCallback& progress = nullptr);

}  // namespace inn
