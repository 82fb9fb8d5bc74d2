// Resampling, conversion and reading against copying the same bytes.

#include <ATen/ATen.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "contest.h"
#include "inn/model/integral_model.h"
#include "inn/network/files.h"
#include "inn/zoo/zoo.h"

namespace inn::bench {
namespace {

using Json = nlohmann::ordered_json;

Json resampled(const std::string& name, const ContestOptions& options) {
  const Network source = make_zoo_network("resnet50");
  auto nested = convert(source, {.order = "none"});
  auto uniform = convert(source, {.grid = "uniform", .order = "none"});
  const auto halved = [](IntegralModel& model) {
    model->resize(0.5);
    model->discretize();
  };
  std::vector<at::Tensor> kept;
  return contest(name,
                 {{"clone of all tensors",
                   [&] {
                     kept.clear();
                     for (const auto& entry : source.state) kept.push_back(entry.tensor.clone());
                   }},
                  {"nested grids", [&] { halved(nested); }},
                  {"uniform grids", [&] { halved(uniform); }}},
                 options);
}

Json converted(const std::string& name, const ContestOptions& options) {
  const Network source = make_zoo_network("resnet18");
  return contest(name,
                 {{"without order", [&] { convert(source, {.order = "none"}); }},
                  {"with order", [&] { convert(source); }}},
                 {.seconds = options.seconds, .least_rounds = 3, .warm_up_rounds = 1});
}

Json read_archive(const std::string& name, const ContestOptions& options) {
  const auto path = std::filesystem::temp_directory_path() / "inn_bench_resample.pt2";
  write_pt2(make_zoo_network("resnet50"), path);
  const auto size = std::filesystem::file_size(path);
  Json result =
      contest(name,
              {{"file read and copied",
                [&] {
                  std::vector<char> bytes(size), copy(size);
                  std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<int64_t>(size));
                  std::memcpy(copy.data(), bytes.data(), size);
                }},
               {"network read", [&] { read_pt2(path); }}},
              options);
  std::filesystem::remove(path);
  return result;
}

}  // namespace
}  // namespace inn::bench

int main(int argc, char** argv) {
  using namespace inn::bench;
  const std::vector<Case> cases{{"resnet50, all groups to half by interpolation", resampled},
                                {"resnet18, conversion of all groups", converted},
                                {"resnet50.pt2, 102 MB", read_archive}};
  return run_cases("resample", cases, argc, argv);
}
