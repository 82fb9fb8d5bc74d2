// Integral models in files.

#include <ATen/ATen.h>

#include <boost/archive/iterators/base64_from_binary.hpp>
#include <boost/archive/iterators/binary_from_base64.hpp>
#include <boost/archive/iterators/transform_width.hpp>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "inn/core/error.h"
#include "inn/model/integral_model.h"
#include "inn/network/files.h"

namespace inn {
namespace {

using nlohmann::json;

constexpr const char* kRecord = "integral.json";
// The network at its source width, where it is at another now. In base64: torch.export.load reads extra files as text.
constexpr const char* kSource = "integral_source.pt2.base64";
constexpr int64_t kFormat = 2;

std::string to_base64(const std::string& bytes) {
  using namespace boost::archive::iterators;
  using Digits = base64_from_binary<transform_width<std::string::const_iterator, 6, 8>>;
  std::string text(Digits(bytes.begin()), Digits(bytes.end()));
  text.append((3 - bytes.size() % 3) % 3, '=');
  return text;
}

std::string from_base64(std::string text) {
  using namespace boost::archive::iterators;
  using Bytes = transform_width<binary_from_base64<std::string::const_iterator>, 8, 6>;
  while (!text.empty() && text.back() == '=') text.pop_back();
  require<std::runtime_error>(
      text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") ==
          std::string::npos,
      "model", "extra/{}: must be base64 but has other characters.", kSource);
  std::string bytes(Bytes(text.begin()), Bytes(text.end()));
  bytes.resize(text.size() * 6 / 8);
  return bytes;
}

json grid_json(const Grid& grid) {
  json points = json::array();
  const auto values = grid.points().detach().to(at::kDouble).contiguous();
  for (int64_t i = 0; i < values.size(0); ++i) points.push_back(values[i].item<double>());
  return {{"kind", std::string(grid.kind())}, {"points", std::move(points)}};
}

std::shared_ptr<Grid> read_grid(const json& record, const std::string& name) {
  const auto kind = record.at("kind").get<std::string>();
  const auto values = record.at("points").get<std::vector<double>>();
  require<std::runtime_error>(!values.empty(), "model", "Group '{}': its grid has no points.", name);
  for (size_t i = 0; i < values.size(); ++i)
    require<std::runtime_error>(
        std::isfinite(values[i]) && values[i] >= 0 && values[i] <= 1 && (i == 0 || values[i] > values[i - 1]),
        "model", "Group '{}': the points of its grid must increase within [0, 1].", name);
  const auto points = at::tensor(values, at::kDouble);
  if (kind == "uniform") return std::make_shared<UniformGrid>(points.size(0));
  if (kind == "trainable" && values.size() > 1)
    return std::make_shared<TrainableGrid>(TrainableGrid::at_points(points));
  if (kind == "trainable") return std::make_shared<TrainableGrid>(1);
  return std::make_shared<FixedGrid>(points, kind);
}

}  // namespace

bool is_integral(const Network& network) { return network.extra.contains(kRecord); }

Network integral_archive(const IntegralModelImpl& model) {
  json record{{"format", kFormat},
              {"kernel", model.options().kernel},
              {"quadrature", model.options().quadrature},
              {"order", model.options().order},
              {"grid", model.options().grid},
              {"groups", json::array()}};
  bool at_source = true;
  for (const auto& group : model.groups()) {
    record["groups"].push_back({{"name", group.name()},
                                {"source_width", group.source_width()},
                                {"follows_fraction", group.follows_fraction()},
                                {"kernel", group.kernel()},
                                {"quadrature", group.quadrature()},
                                {"grid", grid_json(group.grid())}});
    at_source = at_source && group.width() == group.source_width() && group.grid().kind() == "uniform";
  }
  Network source = model.network();
  source.set_training(false);
  Network present = at_source ? source : model.discretize();
  if (!at_source) {
    std::ostringstream nested;
    write_pt2(source, nested, kSource);
    present.extra[kSource] = to_base64(nested.str());
  }
  present.extra[kRecord] = record.dump(1);
  return present;
}

void save_integral(const IntegralModelImpl& model, const std::filesystem::path& path) {
  write_pt2(integral_archive(model), path);
}

IntegralModel load_integral(Network network, const RuleTable& rules) {
  const auto found = network.extra.find(kRecord);
  require<std::runtime_error>(found != network.extra.end(), "model",
                              "The network is not an integral model: its archive has no extra/{}.", kRecord);
  try {
    const json record = json::parse(found->second);
    require<std::runtime_error>(record.at("format").get<int64_t>() == kFormat, "model",
                                "extra/{}: format must be {} but is {}.", kRecord, kFormat,
                                record.at("format").dump());
    auto extra = network.extra;
    if (const auto nested = extra.find(kSource); nested != extra.end()) {
      std::istringstream source(from_base64(std::move(nested->second)));
      network = read_pt2(source, fmt::format("extra/{}", kSource));
    }
    extra.erase(kRecord);
    extra.erase(kSource);
    network.extra = std::move(extra);

    ConvertOptions options{.kernel = record.at("kernel").get<std::string>(),
                           .quadrature = record.at("quadrature").get<std::string>(),
                           .grid = record.value("grid", "uniform"),
                           .order = record.at("order").get<std::string>(),
                           .rules = rules};
    AnalysedNetwork source = analyse(std::move(network), rules);
    for (const auto& group : record.at("groups")) {
      const auto name = group.at("name").get<std::string>();
      const auto width = source.groups.groups[source.groups.find(name)].width;
      require<std::runtime_error>(width == group.at("source_width").get<int64_t>(), "model",
                                  "Group '{}': its source width is {} in extra/{} but {} in the network.",
                                  name, group.at("source_width").dump(), kRecord, width);
      options.group_names.push_back(name);
    }
    auto model = std::make_shared<IntegralModelImpl>(std::move(source), options);
    for (const auto& group : record.at("groups")) {
      const auto name = group.at("name").get<std::string>();
      model->set_grid(name, read_grid(group.at("grid"), name));
      // Files without it are of models that were trained with every group following.
      model->group(name).follow_fraction(group.value("follows_fraction", true));
    }
    model->eval();
    return IntegralModel(std::move(model));
  } catch (const json::exception& error) {
    raise<std::runtime_error>("model", "extra/{} is corrupt: {}", kRecord, error.what());
  }
}

IntegralModel load_integral(const std::filesystem::path& path, const RuleTable& rules) {
  try {
    return load_integral(read_pt2(path), rules);
  } catch (const std::invalid_argument& error) {
    raise<std::runtime_error>("model", "File '{}': {}", path.string(), error.what());
  }
}

}  // namespace inn
