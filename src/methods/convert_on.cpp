#include "inn/methods/convert_on.h"

#include <algorithm>

#include "inn/core/error.h"
#include "inn/data_quadrature/data_quadrature.h"

namespace inn {
namespace {

constexpr int64_t kOrderingSamples = 1024;

}  // namespace

IntegralModel convert_on(const Network& network, ConvertOptions options, const Calibration& data) {
  if (options.order != "nodes") return convert(network, options);
  const AnalysedNetwork source = analyse(network, options.rules ? *options.rules : RuleTable::standard());
  for (auto& [id, ranked] : rank_channels(source, chosen_groups(source, options), data))
    options.ranking.emplace(source.groups.groups[id].name, std::move(ranked));
  return convert(network, options);
}

IntegralModel convert_on(const Network& network, ConvertOptions options,
                         const std::optional<CalibrationData>& data) {
  if (options.order != "nodes") return convert(network, options);
  require(data.has_value(), "methods", "Order 'nodes': requires calibration data.");
  const Dataset first = data->samples.first(std::min(kOrderingSamples, data->samples.size()));
  return convert_on(network, std::move(options),
                    calibration_of({first, data->normalization, c10::Device(c10::kCPU), data->augmentation},
                                   network, Measured::activations));
}

}  // namespace inn
