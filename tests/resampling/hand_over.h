#pragma once
// Networks that Python runs after the tests: load_check.py compares what it computes with what is stored
// beside them.

#include <ATen/ATen.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "inn/network/files.h"
#include "inn/resampling/maps.h"

// Where they stand, as the build says.
#ifndef INN_TEST_ARCHIVES
#define INN_TEST_ARCHIVES ""
#endif
#ifndef INN_TEST_WRITTEN
#define INN_TEST_WRITTEN ""
#endif

namespace inn::test {

/// Every second channel of each group that can be resized: half of them, at least one.
inline std::map<GroupId, GroupMaps> half_of_every_group(const AnalysedNetwork& source) {
  std::map<GroupId, GroupMaps> maps;
  for (const auto id : source.groups.select({})) {
    const int64_t width = source.groups.groups[id].width, half = std::max<int64_t>(1, width / 2);
    std::vector<int64_t> kept;
    for (int64_t k = 0; k < half; ++k) kept.push_back(2 * k + (2 * k + 1 < width ? 1 : 0));
    maps.emplace(id, selection_maps(width, kept));
  }
  return maps;
}

/// Writes folder/name.pt2, and folder/name.pt: a list of inputs, outputs, inputs, outputs, … for each of
/// `inputs`.
inline void hand_over(const Network& network, const std::vector<std::vector<c10::IValue>>& inputs,
                      const std::filesystem::path& folder, const std::string& name) {
  c10::impl::GenericList pairs(c10::AnyType::get());
  for (const auto& given : inputs) {
    c10::List<at::Tensor> tensors, outputs;
    for (const auto& value : given) tensors.push_back(value.toTensor());
    for (const auto& output : network.forward(given))
      if (output.isTensor()) outputs.push_back(output.toTensor());
    pairs.push_back(tensors);
    pairs.push_back(outputs);
  }
  std::filesystem::create_directories(folder);
  write_pt2(network, folder / (name + ".pt2"));
  const auto bytes = torch::jit::pickle_save(pairs);
  std::ofstream(folder / (name + ".pt"), std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace inn::test
