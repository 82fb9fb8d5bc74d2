#include "inn/zoo/trained.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "inn/core/named_table.h"
#include "inn/network/files.h"
#include "trained_models.h"

namespace inn {

const std::vector<TrainedModel>& trained_zoo() {
  using namespace trained;
  static const std::vector<TrainedModel> models{
      {"small_cnn@fashion-mnist", small_cnn_archive(), small_cnn_card()},
      {"resnet20@fashion-mnist", resnet20_archive(), resnet20_card()},
      {"vit@fashion-mnist", vit_archive(), vit_card()}};
  return models;
}

const TrainedModel& find_trained(std::string_view name) {
  return find_named(trained_zoo(), name, "zoo", "No trained model is named '{}'.{}");
}

nlohmann::ordered_json trained_card(std::string_view name) {
  return nlohmann::ordered_json::parse(find_trained(name).card);
}

Network read_trained(std::string_view name) {
  const TrainedModel& model = find_trained(name);
  std::istringstream stream{std::string(model.archive)};
  return read_pt2(stream, "zoo:" + model.name);
}

}  // namespace inn
