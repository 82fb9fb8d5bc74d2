#pragma once
// Archives that Python exported for the tests, with what Python computes: see export_networks.py.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "inn/network/network.h"
#include "temporary_folder.h"

namespace inn {

// Where things are: an environment variable, or the CMake definition of the same name.
#ifndef INN_TEST_ARCHIVES
#define INN_TEST_ARCHIVES nullptr
#endif
#ifndef INN_TEST_WRITTEN
#define INN_TEST_WRITTEN nullptr
#endif
#ifndef INN_SHARED_DATA
#define INN_SHARED_DATA nullptr
#endif

inline std::filesystem::path place_of(const char* definition, const char* variable) {
  const char* place = std::getenv(variable);
  if (!place) place = definition;
  return place ? place : "";
}

/// The folder that export_networks.py filled, empty where it has not run.
inline std::filesystem::path archives_folder() { return place_of(INN_TEST_ARCHIVES, "INN_TEST_ARCHIVES"); }

/// The folder with resnet20.pt2, empty where it is not there.
inline std::filesystem::path shared_data_folder() { return place_of(INN_SHARED_DATA, "INN_SHARED_DATA"); }

inline std::vector<std::string> archive_names() {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(archives_folder(), none))
    if (entry.path().extension() == ".pt2") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

inline std::filesystem::path archive_path(const std::string& name) {
  return archives_folder() / (name + ".pt2");
}

inline std::vector<char> file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::filesystem::path& path, const std::vector<char>& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// Where written archives go: the folder that load_check.py reads afterwards, where there is one.
class WrittenFolder {
 public:
  WrittenFolder() : path_(place_of(INN_TEST_WRITTEN, "INN_TEST_WRITTEN")) {
    if (path_.empty()) path_ = temporary_.path();
    std::filesystem::create_directories(path_);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  TemporaryFolder temporary_;
  std::filesystem::path path_;
};

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

inline void expect_equal_outputs(const std::vector<c10::IValue>& outputs,
                                 const std::vector<c10::IValue>& expected, double tolerance = kSameKernels) {
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

/// Writes pairs of inputs and of the network's outputs for load_check.py.
inline void save_runs(const Network& network, const std::filesystem::path& path,
                      const std::vector<at::Tensor>& inputs) {
  c10::impl::GenericList runs(c10::AnyType::get());
  for (const auto& input : inputs) {
    runs.push_back(std::vector<at::Tensor>{input});
    runs.push_back(std::vector<at::Tensor>{network.forward(input).detach()});
  }
  write_bytes(path, torch::jit::pickle_save(runs));
}

/// Runs the check for every archive. An exception fails it by the archive's name; the others are checked all
/// the same.
inline void for_each_archive(const std::function<void(const std::string&)>& check) {
  const auto names = archive_names();
  if (names.empty()) GTEST_SKIP() << "INN_TEST_ARCHIVES has no archives: run export_networks.py";
  for (const auto& name : names) {
    SCOPED_TRACE(name);
    try {
      check(name);
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

}  // namespace inn
