#pragma once
// Networks that Python runs after the tests: load_check.py compares what it computes with what is stored
// beside them.

#include <ATen/ATen.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "inn/network/files.h"
#include "inn/resampling/maps.h"
#include "inn/resampling/verify.h"
#include "inn/resampling/verify_sizes.h"

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

/// Inputs of the example's sizes, and of others where they are dynamic.
inline std::vector<std::vector<c10::IValue>> inputs_of_all_sizes(const Network& network, uint64_t seed) {
  std::vector<std::vector<c10::IValue>> inputs{random_inputs(network, seed)};
  const bool is_dynamic = std::any_of(network.inputs.begin(), network.inputs.end(), [&](ValueId input) {
    const auto& formulas = network.values[input].formulas;
    return std::any_of(formulas.begin(), formulas.end(),
                       [](const auto& formula) { return !formula.empty(); });
  });
  if (!is_dynamic) return inputs;
  for (const auto& sizes : other_input_sizes(network)) inputs.push_back(random_inputs(network, sizes, seed));
  return inputs;
}

/// Writes folder/name.pt2, and folder/name.pt: a list of inputs, outputs, inputs, outputs, … for each of
/// `inputs`. The outputs are those of `oracle`.
inline void hand_over(const Network& network, const std::vector<std::vector<c10::IValue>>& inputs,
                      const std::filesystem::path& folder, const std::string& name, const Network& oracle) {
  c10::impl::GenericList pairs(c10::AnyType::get());
  for (const auto& given : inputs) {
    c10::List<at::Tensor> tensors, outputs;
    for (const auto& value : given) tensors.push_back(value.toTensor());
    for (const auto& output : oracle.forward(given))
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

/// The same with the network's own outputs.
inline void hand_over(const Network& network, const std::vector<std::vector<c10::IValue>>& inputs,
                      const std::filesystem::path& folder, const std::string& name) {
  hand_over(network, inputs, folder, name, network);
}

/// What keeps `derived` from running at other input sizes as `source` does; "" where nothing does.
inline std::string failure_at_other_sizes(const Network& source, const Network& derived, bool same_outputs) {
  for (const auto& verification : verify_sizes(source, derived, {.same_outputs = same_outputs}))
    if (!verification.ok()) return verification.failure;
  return "";
}

}  // namespace inn::test
