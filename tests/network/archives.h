#pragma once
// Archives that Python exported for the tests, with what Python computes: see export_networks.py.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// The folder that export_networks.py filled, empty where it has not run.
inline std::filesystem::path archives_folder() {
#ifdef INN_TEST_ARCHIVES
  return INN_TEST_ARCHIVES;
#else
  const char* folder = std::getenv("INN_TEST_ARCHIVES");
  return folder ? folder : "";
#endif
}

/// The folder with resnet20.pt2, empty where it is not there.
inline std::filesystem::path shared_data_folder() {
#ifdef INN_SHARED_DATA
  return INN_SHARED_DATA;
#else
  const char* folder = std::getenv("INN_SHARED_DATA");
  return folder ? folder : "";
#endif
}

inline std::vector<std::string> archive_names() {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(archives_folder(), none))
    if (entry.path().extension() == ".pt2") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

inline std::filesystem::path archive_path(const std::string& name) { return archives_folder() / (name + ".pt2"); }

inline std::vector<char> file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::filesystem::path& path, const std::vector<char>& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// One run of the source in Python.
struct Example {
  std::vector<c10::IValue> inputs, outputs;
};

inline std::vector<Example> examples_of(const std::string& name) {
  const auto runs = torch::jit::pickle_load(file_bytes(archives_folder() / (name + ".pt"))).toListRef().vec();
  std::vector<Example> examples;
  for (size_t i = 0; i + 1 < runs.size(); i += 2)
    examples.push_back({runs[i].toListRef().vec(), runs[i + 1].toListRef().vec()});
  return examples;
}

/// The same kernels run in the same order, but a batch of another size may be split otherwise.
constexpr double kSameKernels = 1e-6;

inline void expect_equal_outputs(const std::vector<c10::IValue>& outputs, const std::vector<c10::IValue>& expected,
                                 double tolerance = kSameKernels) {
  ASSERT_EQ(outputs.size(), expected.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!expected[i].isTensor()) {
      EXPECT_EQ(outputs[i], expected[i]) << "output " << i;
      continue;
    }
    const auto &given = outputs[i].toTensor(), &wanted = expected[i].toTensor();
    ASSERT_EQ(given.sizes(), wanted.sizes()) << "output " << i;
    ASSERT_EQ(given.scalar_type(), wanted.scalar_type()) << "output " << i;
    EXPECT_TRUE(at::allclose(given, wanted, tolerance, tolerance, true)) << "output " << i;
  }
}

}  // namespace inn
