// What the dimension algebra makes of one network.
//
//   inn_coverage ARCHIVE.pt2 OUT [--each]
//
// Proves all groups at once (with --each every group by itself), cuts all to half and writes OUT.pt2, with
// its inputs and outputs in OUT.pt for Python to compare. Prints one JSON line.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <chrono>
#include <fstream>
#include <iostream>

#include "inn/network/files.h"
#include "inn/resampling/maps.h"
#include "inn/resampling/proof.h"

namespace {

using Json = nlohmann::ordered_json;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Every second channel of each group, half of them in all.
std::map<inn::GroupId, inn::GroupMaps> half_of(const inn::AnalysedNetwork& source) {
  std::map<inn::GroupId, inn::GroupMaps> maps;
  for (const auto id : source.groups.select({})) {
    const int64_t width = source.groups.groups[id].width, half = std::max<int64_t>(1, width / 2);
    std::vector<int64_t> kept;
    for (int64_t k = 0; k < half; ++k) kept.push_back(2 * k + (2 * k + 1 < width ? 1 : 0));
    maps.emplace(id, inn::selection_maps(width, kept));
  }
  return maps;
}

void write_half(const inn::Network& half, const std::string& out) {
  const auto inputs = inn::random_inputs(half, 1);
  const auto outputs = half.forward(inputs);
  inn::write_pt2(half, out + ".pt2");
  c10::List<at::Tensor> given, wanted;
  for (const auto& input : inputs) given.push_back(input.toTensor());
  for (const auto& output : outputs)
    if (output.isTensor()) wanted.push_back(output.toTensor());
  c10::impl::GenericList all(c10::AnyType::get());
  all.push_back(given);
  all.push_back(wanted);
  const auto bytes = torch::jit::pickle_save(all);
  std::ofstream(out + ".pt", std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

Json run(const std::string& archive, const std::string& out, bool each) {
  Json report{{"archive", archive}};
  const auto network = inn::read_pt2(archive);
  report["calls"] = network.calls.size();
  const auto start = std::chrono::steady_clock::now();
  const auto source = inn::analyse(network);
  report["analysis_s"] = seconds_since(start);
  report["groups"] = source.groups.groups.size();
  report["pinned"] = Json::array();
  for (const auto& group : source.groups.groups)
    if (group.pinned)
      report["pinned"].push_back({{"group", group.name}, {"width", group.width}, {"reason", *group.pinned}});
  report["unknown_operators"] = source.groups.unknown_operators;
  report["failures"] = Json::array();
  const auto note = [&](const inn::GroupProof& proof) {
    if (!proof.ok()) report["failures"].push_back(proof.name + ": " + proof.failure);
  };
  if (each) {
    for (const auto& proof : inn::prove_groups(source, {})) note(proof);
  } else {
    const auto proof = inn::prove_together(source, {});
    note(proof);
    report["permutation_error"] = proof.permutation_error;
    report["producer_effect"] = proof.producer_effect;
  }
  try {
    write_half(inn::resample(source, half_of(source)), out);
  } catch (const std::exception& error) {
    report["failures"].push_back(std::string("half: ") + error.what());
  }
  return report;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::cerr << "usage: inn_coverage ARCHIVE.pt2 OUT [--each]\n";
    return 2;
  }
  const at::NoGradGuard no_grad;
  try {
    const auto report = run(arguments[1], arguments[2], count > 3 && std::string(arguments[3]) == "--each");
    std::cout << report.dump() << std::endl;
    return report["failures"].empty() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cout << Json{{"archive", arguments[1]}, {"failures", {error.what()}}}.dump() << std::endl;
    return 1;
  }
}
