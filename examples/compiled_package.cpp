// A network and its AOTInductor package, run and timed from C++ without Python.
//
//     example_compiled_package NETWORK.pt2 PACKAGE.pt2 [THREADS [BATCH]]
//
// The package is made once, where Python is (docs/deploy.md):
//
//     torch._inductor.aoti_compile_and_package(torch.export.load("NETWORK.pt2"), package_path="PACKAGE.pt2")
//
// Prints the largest difference of the outputs, and the median milliseconds of both on one input like the network's example.

#include <inn/network/files.h>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <vector>

namespace {

double median_milliseconds(const std::function<void()>& run) {
  constexpr int kWarmUps = 5, kRuns = 51;
  std::vector<double> times;
  for (int k = 0; k < kWarmUps + kRuns; ++k) {
    const auto start = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    if (k >= kWarmUps) times.push_back(taken.count());
  }
  std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
  return times[kRuns / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s NETWORK.pt2 PACKAGE.pt2 [THREADS [BATCH]]\n", argv[0]);
    return 2;
  }
  if (argc > 3) at::set_num_threads(std::atoi(argv[3]));
  try {
    at::NoGradGuard no_grad;
    const inn::Network network = inn::read_pt2(argv[1]);
    torch::inductor::AOTIModelPackageLoader package(argv[2]);
    std::vector<at::Tensor> inputs;
    for (const auto& input : network.inputs) {
      auto sizes = network.values[static_cast<size_t>(input)].sizes;
      if (argc > 4) sizes.at(0) = std::atoi(argv[4]);
      inputs.push_back(at::randn(sizes));
    }

    const at::Tensor wanted = network.forward(inputs.at(0)), found = package.run(inputs).at(0);
    std::printf("largest difference %.1e\n", (found - wanted).abs().max().item<double>());
    std::printf("executor    %8.3f ms\n", median_milliseconds([&] { network.forward(inputs[0]); }));
    std::printf("AOTInductor %8.3f ms\n", median_milliseconds([&] { package.run(inputs); }));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
