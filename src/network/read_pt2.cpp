#include <c10/util/Exception.h>
#include <caffe2/serialize/istream_adapter.h>

#include "inn/core/error.h"
#include "inn/core/zip_archive.h"
#include "inn/network/files.h"
#include "pt2/failure.h"
#include "pt2/json.h"
#include "pt2/read_graph.h"
#include "pt2/weights.h"

namespace inn {
namespace {

using namespace pt2;

constexpr std::string_view kModels = "models/", kJson = ".json", kExtra = "extra/";
constexpr int64_t kSchemaVersion = 8;

/// Returns the name of the one model in the archive: "model" of "models/model.json".
std::string model_name(const ZipArchive& archive) {
  std::vector<std::string> names;
  for (const auto& record : archive.records()) {
    if (record.starts_with(kModels) && record.ends_with(kJson))
      names.push_back(record.substr(kModels.size(), record.size() - kModels.size() - kJson.size()));
  }
  if (names.empty()) fail("it contains no exported program: record 'models/model.json' is missing");
  if (names.size() > 1) refuse("it contains {} networks, expected one", names.size());
  return names.front();
}

Network read_archive(const ZipArchive& archive) {
  if (!archive.has("archive_format") || archive.text("archive_format") != "pt2")
    fail("it was not written by torch.export.save");
  const auto model = model_name(archive);
  const auto record = fmt::format("models/{}.json", model);
  const auto program = parse_json(archive.text(record), record);
  const auto major = integer(member(member(program, "schema_version"), "major"));
  if (major != kSchemaVersion) refuse("its schema version is {}, expected {}", major, kSchemaVersion);
  TensorFolder weights(archive, "data/weights/", model + "_weights_config.json");
  TensorFolder constants(archive, "data/constants/", model + "_constants_config.json");
  auto network = read_program(program, weights, constants);
  for (const auto& name : archive.records())
    if (name.starts_with(kExtra)) network.extra[name.substr(kExtra.size())] = archive.text(name);
  return network;
}

/// The message without its folder prefix, which precedes the file's name.
std::string unmarked(std::string what) {
  constexpr std::string_view mark = "[network] ";
  return what.starts_with(mark) ? what.substr(mark.size()) : what;
}

/// Reads the archive that `open` gives; messages call it `name`.
template <class Open>
Network read_named(const std::string& name, const Open& open) {
  try {
    auto network = read_archive(open());
    network.validate();
    return network;
  } catch (const Unsupported& error) {
    raise("network", "File '{}': {}", name, error.what());
  } catch (const c10::Error& error) {
    raise<std::runtime_error>("network", "File '{}': {}", name, error.what_without_backtrace());
  } catch (const std::exception& error) {
    raise<std::runtime_error>("network", "File '{}': {}", name, unmarked(error.what()));
  }
}

}  // namespace

Network read_pt2(const std::filesystem::path& path, FileBytes bytes) {
  return read_named(path.string(), [&] { return ZipArchive(path, bytes); });
}

Network read_pt2(std::istream& stream, const std::string& name) {
  return read_named(name,
                    [&] { return ZipArchive(std::make_shared<caffe2::serialize::IStreamAdapter>(&stream)); });
}

}  // namespace inn
