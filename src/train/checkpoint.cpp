#include "checkpoint.h"

#include <ATen/core/Dict.h>
#include <caffe2/serialize/file_adapter.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/import_read.h>
#include <torch/serialize.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "inn/core/atomic_file.h"
#include "inn/core/error.h"

namespace inn {
namespace {

using nlohmann::json;
using TensorDict = c10::Dict<std::string, at::Tensor>;
using Tensors = std::map<std::string, at::Tensor>;

constexpr int kVersion = 5;
/// Between the name of a parameter and what the optimizer remembers of it. Names of parameters have dots
/// only.
constexpr char kSeparator = '/';

json record_json(const EpochRecord& record) {
  json object{{"epoch", record.epoch}, {"time", record.time}};
  for (const auto& [name, figure] : figures(record)) object[name] = figure;
  return object;
}

EpochRecord record_of(const json& object) {
  EpochRecord record{.epoch = object.at("epoch"),
                     .loss = object.at("loss"),
                     .accuracy = std::nullopt,
                     .learning_rate = object.at("learning_rate"),
                     .seconds = object.at("seconds"),
                     .metric = std::nullopt,
                     .time = object.at("time")};
  if (object.contains("accuracy")) record.accuracy = object.at("accuracy").get<double>();
  if (object.contains("metric")) record.metric = object.at("metric").get<double>();
  return record;
}

c10::IValue dict_of(const Tensors& tensors) {
  TensorDict dict;
  for (const auto& [name, tensor] : tensors) dict.insert(name, tensor.detach().cpu());
  return dict;
}

Tensors tensors_of(const c10::IValue& value) {
  Tensors tensors;
  for (const auto& item : value.toGenericDict())
    tensors.emplace(item.key().toStringRef(), item.value().toTensor());
  return tensors;
}

json meta_of(const Checkpoint& checkpoint) {
  json meta{{"version", kVersion},
            {"run", checkpoint.run},
            {"epoch", checkpoint.epoch},
            {"batch", checkpoint.batch},
            {"loss_sum", checkpoint.loss_sum},
            {"seconds", checkpoint.seconds},
            {"correct", checkpoint.correct},
            {"seen", checkpoint.seen},
            {"width_generator", checkpoint.width_generator},
            {"records", json::array()}};
  for (const auto& record : checkpoint.records) meta["records"].push_back(record_json(record));
  return meta;
}

Checkpoint from_meta(const json& meta) {
  Checkpoint checkpoint;
  const int version = meta.at("version");
  if (version != kVersion)
    throw std::runtime_error(fmt::format("its version is {} but must be {}", version, kVersion));
  meta.at("run").get_to(checkpoint.run);
  meta.at("epoch").get_to(checkpoint.epoch);
  meta.at("batch").get_to(checkpoint.batch);
  meta.at("loss_sum").get_to(checkpoint.loss_sum);
  meta.at("seconds").get_to(checkpoint.seconds);
  meta.at("correct").get_to(checkpoint.correct);
  meta.at("seen").get_to(checkpoint.seen);
  meta.at("width_generator").get_to(checkpoint.width_generator);
  for (const auto& record : meta.at("records")) checkpoint.records.push_back(record_of(record));
  return checkpoint;
}

/// What torch::pickle_load does, from a file: on a damaged archive in memory it reads past the end.
c10::IValue load_pickle(const std::filesystem::path& path) {
  caffe2::serialize::PyTorchStreamReader reader(
      std::make_shared<caffe2::serialize::FileAdapter>(path.string()));
  return torch::jit::readArchiveAndTensors("data", "", "", std::nullopt, std::nullopt, std::nullopt, reader);
}

Checkpoint read_file(const std::filesystem::path& path) {
  const auto root = load_pickle(path).toGenericDict();
  Checkpoint checkpoint = from_meta(json::parse(root.at("meta").toStringRef()));
  checkpoint.model = tensors_of(root.at("model"));
  checkpoint.average = tensors_of(root.at("average"));
  checkpoint.best = tensors_of(root.at("best"));
  checkpoint.generators = tensors_of(root.at("generators"));
  checkpoint.penalty = tensors_of(root.at("penalty"));
  for (const auto& [name, tensor] : tensors_of(root.at("optimizer"))) {
    const auto cut = name.find(kSeparator);
    if (cut == std::string::npos)
      throw std::runtime_error("the optimizer's '" + name + "' belongs to no parameter");
    checkpoint.optimizer[name.substr(0, cut)].emplace(name.substr(cut + 1), tensor);
  }
  return checkpoint;
}

}  // namespace

std::vector<std::pair<const char*, double>> figures(const EpochRecord& record) {
  std::vector<std::pair<const char*, double>> figures{{"loss", record.loss}};
  if (record.accuracy) figures.emplace_back("accuracy", *record.accuracy);
  if (record.metric) figures.emplace_back("metric", *record.metric);
  figures.emplace_back("learning_rate", record.learning_rate);
  figures.emplace_back("seconds", record.seconds);
  return figures;
}

std::string to_json(const EpochRecord& record) { return record_json(record).dump(); }

void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  Tensors optimizer;
  for (const auto& [parameter, state] : checkpoint.optimizer)
    for (const auto& [name, tensor] : state) optimizer.emplace(parameter + kSeparator + name, tensor);
  c10::impl::GenericDict generic(c10::StringType::get(), c10::AnyType::get());
  generic.insert("meta", meta_of(checkpoint).dump());
  generic.insert("model", dict_of(checkpoint.model));
  generic.insert("average", dict_of(checkpoint.average));
  generic.insert("best", dict_of(checkpoint.best));
  generic.insert("optimizer", dict_of(optimizer));
  generic.insert("generators", dict_of(checkpoint.generators));
  generic.insert("penalty", dict_of(checkpoint.penalty));
  const auto bytes = torch::pickle_save(generic);
  write_atomically(path, std::string_view(bytes.data(), bytes.size()));
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  require<std::runtime_error>(static_cast<bool>(std::ifstream(path, std::ios::binary)), "train",
                              "Checkpoint '{}': the file cannot be opened.", path.string());
  // Whatever is wrong with the file, torch and the JSON reader say so in types of their own.
  try {
    return read_file(path);
  } catch (const c10::Error& error) {
    raise<std::runtime_error>("train", "Checkpoint '{}': the file is corrupt or not a checkpoint ({}).",
                              path.string(), error.what_without_backtrace());
  } catch (const std::exception& error) {
    raise<std::runtime_error>("train", "Checkpoint '{}': the file is corrupt or not a checkpoint ({}).",
                              path.string(), error.what());
  }
}

}  // namespace inn
