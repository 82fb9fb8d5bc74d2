#include "inn/calibration/calibration_run.h"

#include <algorithm>
#include <exception>

namespace inn {

void use_fastest_layout(Network& network) {
  const auto is_image = [](const StateEntry& entry) { return entry.tensor.dim() == 4; };
  if (std::none_of(network.state.begin(), network.state.end(), is_image)) return;
  Network laid_out = network;
  try {
    laid_out.to_channels_last();
  } catch (const std::exception&) {
    return;
  }
  network = std::move(laid_out);
}

}  // namespace inn
