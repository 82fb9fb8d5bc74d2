#include "inn/methods/convert_on.h"

#include <algorithm>

#include "inn/core/error.h"

namespace inn {
namespace {

constexpr int64_t kOrderingSamples = 1024;

}  // namespace

IntegralModel convert_on(const Network& network, ConvertOptions options,
                         const std::optional<CalibrationData>& data) {
  if (options.order != "nodes") return convert(network, options);
  require(data.has_value(), "methods",
          "Order 'nodes': it is measured on calibration data, but there is none.");
  const Dataset first = data->samples.first(std::min(kOrderingSamples, data->samples.size()));
  options.calibration =
      calibration_of({first, data->normalization, c10::Device(c10::kCPU), data->augmentation}, network,
                     Measured::activations);
  return convert(network, options);
}

}  // namespace inn
