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

/// The methods that are compared by default.
const std::vector<std::string>& compared_methods();

struct ComparisonOptions {
  std::vector<std::string> methods = compared_methods();
  std::vector<double> keep = {};          // the fractions of the widths
  std::vector<int64_t> samples = {2048};  // of the calibration data; 0: all
  PruneOptions widths = {};               // which groups, and limits
  bool chosen = true;                     // also quadrature at widths chosen for the same multiply-adds
  int64_t rechecks = 4;                   // refinement rounds for those widths
  MethodOptions how = {};                 // all except the method and whether it refits
  int64_t batch_size = 256;               // of evaluation
};

/// The data for making and evaluating the networks.
struct ComparisonData {
  const Dataset& calibration;
  const Dataset& evaluated;
  const Normalization& normalization;
  c10::Device device;
};

/// The quality of a network: by labels, or without labels by agreement with the source.
struct Quality {
  double rate = 0;              // fraction of correct predictions, or of those that agree with the source's
  int64_t hits = 0, count = 0;  // rate = hits/count
  double loss = 0;  // mean cross entropy, or the squared error of the outputs relative to their variation
};

/// One variant of a method, a row of the table.
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
  std::string failure = {};  // why it could not be made; the rest is then empty
  bool interrupted = false;  // by Ctrl-C
  Quality quality = {};
  std::map<std::string, int64_t> widths = {};  // by group
  double macs = 0, parameters = 0;             // of one input
  double seconds = 0;                          // to make it
};

struct ComparedVariant {
  Variant variant;
  std::vector<Compared> networks;  // one for each fraction
  double curve_seconds = 0;        // for error curves, if widths were chosen
};

struct Comparison {
  bool labelled;  // whether qualities use labels
  Quality source;
  double source_macs, source_parameters;
  std::vector<double> keep;
  std::vector<double> uniform_macs;  // at uniform widths, for each fraction
  std::vector<ComparedVariant> variants;

  /// The number of networks not made because of Ctrl-C.
  int64_t interrupted() const;
};

/// Returns the evaluated networks: each method with batch norm recalibrated and with layers refit, for every
/// number of samples, and quadrature with refits at widths chosen (within the limits) for the same
/// multiply-adds as the uniform cut, with error curves computed once for all fractions. A network that cannot
/// be made has the reason instead. After Ctrl-C (with an InterruptGuard) the missing networks are marked as
/// interrupted. `progress` is called often, with the number of networks made so far. Throws
/// std::invalid_argument if the selected groups or the data do not fit the model.
Comparison compare(const AnyModel& model, const ComparisonOptions& options, const ComparisonData& data,
                   const StepCallback& progress = nullptr);

}  // namespace inn
