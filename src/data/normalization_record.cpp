#include "inn/data/normalization_record.h"

#include <nlohmann/json.hpp>

#include "inn/core/error.h"

namespace inn {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kRecord = "inn.json";

/// What extra/inn.json says; an empty object where there is none.
Json record_of(const Network& network) {
  const auto found = network.extra.find(kRecord);
  if (found == network.extra.end()) return Json::object();
  auto record = Json::parse(found->second, nullptr, false);
  require<std::runtime_error>(record.is_object(), "data",
                              "The model's extra/{} is corrupt: it is not a JSON object.", kRecord);
  return record;
}

std::vector<double> numbers_of(const Json& record, const char* key, std::vector<double> otherwise) {
  if (!record.contains(key)) return otherwise;
  const Json& values = record[key];
  bool numbers = values.is_array() && !values.empty();
  for (const auto& value : values) numbers = numbers && value.is_number();
  require<std::runtime_error>(
      numbers, "data", "The model's extra/{} is corrupt: '{}' must be a list of numbers.", kRecord, key);
  return values.get<std::vector<double>>();
}

}  // namespace

std::optional<Normalization> recorded_normalization(const Network& network) {
  const Json record = record_of(network);
  if (!record.contains("mean") && !record.contains("std")) return std::nullopt;
  const Normalization none;
  return Normalization{numbers_of(record, "mean", none.mean), numbers_of(record, "std", none.std)};
}

void record_normalization(Network& network, const Normalization& normalization) {
  Json record = record_of(network);
  record["mean"] = normalization.mean;
  record["std"] = normalization.std;
  network.extra[kRecord] = record.dump();
}

}  // namespace inn
