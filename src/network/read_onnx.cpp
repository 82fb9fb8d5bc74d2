#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <map>
#include <optional>

#include "inn/core/allocation_limit.h"
#include "inn/core/error.h"
#include "inn/network/files.h"
#include "onnx/read/interpreter.h"
#include "onnx/read/open_sizes.h"

namespace inn {
namespace {

using onnx::reading::OpenSize;

constexpr int64_t kLeastReadOpset = 11, kGreatestReadOpset = 23;
constexpr int64_t kBatch = 2;              // of the example: 1 would be broadcast unseen
constexpr int64_t kImageUnit = 32;         // what most networks for images of any size divide them by
constexpr size_t kMostOpenSizes = 3;       // 2^3 + 1 runs
constexpr size_t kMostBytes = 16UL << 30;  // of a run's tensors in all

std::string text_of(const onnx::ValueInfo& input) {
  std::vector<std::string> sizes;
  for (const auto& size : input.sizes) {
    const auto* number = std::get_if<int64_t>(&size);
    const auto name = number ? std::to_string(*number) : std::get<std::string>(size);
    sizes.push_back(name.empty() ? "?" : name);
  }
  return fmt::format("{}", fmt::join(sizes, ","));
}

/// The sizes of the example and which of them are open: by name, those without one each by itself.
struct Example {
  std::vector<std::vector<int64_t>> sizes;
  std::vector<OpenSize> open;
  std::vector<std::vector<std::optional<size_t>>> places;  // by input and axis, which open size it is

  std::vector<std::vector<int64_t>> at(const std::vector<int64_t>& values,
                                       const std::vector<size_t>& which) const {
    auto result = sizes;
    for (size_t i = 0; i < which.size(); ++i)
      for (size_t input = 0; input < places.size(); ++input)
        for (size_t axis = 0; axis < places[input].size(); ++axis)
          if (places[input][axis] == which[i]) result[input][axis] = values[i];
    return result;
  }
};

Example example_of(const onnx::Model& model, const std::vector<std::vector<int64_t>>& given) {
  require(given.empty() || given.size() == model.inputs.size(), "network",
          "the model has {} inputs but sizes of {} are given.", model.inputs.size(), given.size());
  Example example;
  std::map<std::string, size_t> by_name;
  for (size_t i = 0; i < model.inputs.size(); ++i) {
    const auto& input = model.inputs[i];
    require(given.empty() || input.sizes.empty() || given[i].size() == input.sizes.size(), "network",
            "input '{}' has the sizes {} but {} sizes are given.", input.name, text_of(input),
            given.empty() ? 0 : given[i].size());
    std::vector<int64_t> sizes = given.empty() ? std::vector<int64_t>(input.sizes.size(), 0) : given[i];
    std::vector<std::optional<size_t>> places(sizes.size());
    for (size_t axis = 0; axis < input.sizes.size(); ++axis) {
      if (const auto* number = std::get_if<int64_t>(&input.sizes[axis])) {
        require(given.empty() || sizes[axis] == *number, "network",
                "input '{}' has the sizes {} but size {} is given for axis {}.", input.name, text_of(input),
                sizes[axis], axis);
        sizes[axis] = *number;
        continue;
      }
      auto name = std::get<std::string>(input.sizes[axis]);
      if (name.empty() || name == "?") name = fmt::format("{} {}", i, axis);
      const auto [found, is_new] = by_name.emplace(name, example.open.size());
      if (sizes[axis] == 0 && !is_new) sizes[axis] = example.open[found->second].example;
      if (sizes[axis] == 0 && axis == 0) sizes[axis] = kBatch;
      require(sizes[axis] > 0, "network",
              "input '{}' has the sizes {}: an example of its sizes is required (--input-size, input_sizes).",
              input.name, text_of(input));
      if (is_new) example.open.push_back({sizes[axis], i, axis});
      require(sizes[axis] == example.open[found->second].example, "network",
              "input '{}': size '{}' is {} and {}.", input.name, name, example.open[found->second].example,
              sizes[axis]);
      places[axis] = found->second;
    }
    example.sizes.push_back(std::move(sizes));
    example.places.push_back(std::move(places));
  }
  return example;
}

/// Which sizes stay open, and in which units, in the order to try: all, all with images in multiples of 32, the batch alone.
std::vector<std::map<size_t, int64_t>> choices(const std::vector<OpenSize>& open) {
  std::map<size_t, int64_t> all, images, batch;
  bool has_images = false;
  for (size_t i = 0; i < open.size(); ++i) {
    const bool is_batch = open[i].axis == 0, is_image = !is_batch && open[i].example % kImageUnit == 0;
    all[i] = 1;
    images[i] = is_image ? kImageUnit : 1;
    has_images = has_images || is_image;
    if (is_batch) batch[i] = 1;
  }
  std::vector<std::map<size_t, int64_t>> result{all};
  if (has_images) result.push_back(images);
  if (batch != all) result.push_back(batch);
  std::erase_if(result, [](const auto& which) { return which.empty() || which.size() > kMostOpenSizes; });
  return result;
}

Network network_of(const onnx::Model& model, const std::vector<std::vector<int64_t>>& given) {
  require(model.opset >= kLeastReadOpset && model.opset <= kGreatestReadOpset, "network",
          "the opset must be in [{}, {}] but is {}.", kLeastReadOpset, kGreatestReadOpset, model.opset);
  const auto example = example_of(model, given);
  onnx::reading::Interpreter interpreter(model);
  const auto run = [&](const std::vector<std::vector<int64_t>>& sizes) {
    const AllocationLimit limit(kMostBytes);
    return interpreter.run(sizes);
  };
  auto network = run(example.sizes);
  for (const auto& which : choices(example.open)) {
    std::vector<size_t> indices;
    std::vector<OpenSize> open;
    for (const auto& [index, unit] : which) {
      indices.push_back(index);
      open.push_back(example.open[index]);
      open.back().unit = unit;
    }
    const auto at = [&](const std::vector<int64_t>& values) { return run(example.at(values, indices)); };
    if (auto opened = with_open_sizes(at, open)) return std::move(*opened);
  }
  return network;
}

}  // namespace

Network read_onnx(const std::filesystem::path& path, const ReadOnnxOptions& options) {
  const auto unmarked = [](std::string what) {
    if (what.starts_with("[")) what = what.substr(what.find(']') + 2);
    return what;
  };
  try {
    const auto model = onnx::read_model(path);
    return network_of(model, options.input_sizes);
  } catch (const std::invalid_argument& error) {
    raise("network", "File '{}': {}", path.string(), unmarked(error.what()));
  } catch (const c10::Error& error) {
    raise<std::runtime_error>("network", "File '{}': {}", path.string(), error.what_without_backtrace());
  } catch (const std::exception& error) {
    raise<std::runtime_error>("network", "File '{}': {}", path.string(), unmarked(error.what()));
  }
}

Network read_onnx(const std::filesystem::path& path) { return read_onnx(path, {}); }

}  // namespace inn
