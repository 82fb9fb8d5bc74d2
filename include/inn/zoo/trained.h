#pragma once
// Trained elastic models that come with the library.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// A trained integral model of the library.
struct TrainedModel {
  std::string name;          // NETWORK@DATA: "resnet20@fashion-mnist"
  std::string_view archive;  // a .pt2
  std::string_view card;     // JSON: what it is, the data, the commands that made it, accuracy at ten widths
};

/// Returns the trained models in the order in which they are documented.
const std::vector<TrainedModel>& trained_zoo();

/// Returns the model with that name. Throws std::invalid_argument with the nearest names.
const TrainedModel& find_trained(std::string_view name);

/// Returns the card: "name", "summary", "data", "commands", "seed", "parameters", "macs", "test_images", and "widths"
/// with "width", "accuracy" and "loss" each. Throws as `find_trained` does.
nlohmann::ordered_json trained_card(std::string_view name);

/// Reads a model, for `load_integral`. Throws as `find_trained` does.
Network read_trained(std::string_view name);

}  // namespace inn
