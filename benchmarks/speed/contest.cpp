#include "contest.h"

#include <ATen/Parallel.h>
#include <ATen/ops/tensor.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <fmt/format.h>
#include <torch/version.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>

namespace inn::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

double milliseconds(const Clock::time_point& start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double place = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
}

double rounded(double value) { return std::stod(fmt::format("{:.4g}", value)); }

/// Memory of the CPU with its size before it: oneDNN wants allocators whose context is the pointer itself.
class CountingAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    auto* base = static_cast<char*>(c10::alloc_cpu(size + kHeader));
    *reinterpret_cast<size_t*>(base) = size;
    const int64_t now = in_use += static_cast<int64_t>(size);
    peak = std::max(peak.load(), now);
    return {base + kHeader, base + kHeader, &release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t count) const override {
    default_copy_data(to, from, count);
  }

  static inline std::atomic<int64_t> in_use{0}, peak{0};

 private:
  static constexpr size_t kHeader = c10::gAlignment;

  static void release(void* memory) {
    auto* base = static_cast<char*>(memory) - kHeader;
    in_use -= static_cast<int64_t>(*reinterpret_cast<size_t*>(base));
    c10::free_cpu(base);
  }
};

}  // namespace

Json contest(const std::string& what, const std::vector<Contender>& contenders,
             const ContestOptions& options) {
  std::vector<std::vector<double>> times(contenders.size());
  const auto run_round = [&](bool counts) {
    for (size_t c = 0; c < contenders.size(); ++c) {
      if (contenders[c].prepare) contenders[c].prepare();
      const auto start = Clock::now();
      contenders[c].run();
      if (counts) times[c].push_back(milliseconds(start));
    }
  };
  for (int64_t r = 0; r < options.warm_up_rounds; ++r) run_round(false);
  const auto begin = Clock::now();
  for (int64_t r = 0; r < options.least_rounds || milliseconds(begin) < 1000 * options.seconds; ++r)
    run_round(true);
  Json result{{"case", what}, {"rounds", times[0].size()}, {"contenders", Json::array()}};
  for (size_t c = 0; c < contenders.size(); ++c) {
    std::vector<double> ratios;
    for (size_t r = 0; r < times[c].size(); ++r) ratios.push_back(times[c][r] / times[0][r]);
    result["contenders"].push_back({{"name", contenders[c].name},
                                    {"median_ms", rounded(quantile(times[c], 0.5))},
                                    {"p10_ms", rounded(quantile(times[c], 0.1))},
                                    {"p90_ms", rounded(quantile(times[c], 0.9))},
                                    {"ratio", rounded(quantile(ratios, 0.5))},
                                    {"ratio_p10", rounded(quantile(ratios, 0.1))},
                                    {"ratio_p90", rounded(quantile(ratios, 0.9))}});
  }
  return result;
}

int64_t peak_bytes(const std::function<void()>& run) {
  // It outlives every tensor that it gave memory to.
  static auto* counting = new CountingAllocator;
  c10::Allocator* usual = c10::GetCPUAllocator();
  constexpr uint8_t kPriority = 100;
  c10::SetCPUAllocator(counting, kPriority);
  const int64_t before = CountingAllocator::in_use;
  CountingAllocator::peak = before;
  run();
  const int64_t highest = CountingAllocator::peak - before;
  c10::SetCPUAllocator(usual, kPriority);
  return highest;
}

int run_cases(const std::string& benchmark, const std::vector<Case>& cases, int argc, char** argv) {
  CLI::App app("Prints one JSON document of ratios against torch, measured in this run");
  std::string only;
  ContestOptions options;
  app.add_option("--only", only, "Cases whose name holds this")->type_name("TEXT");
  app.add_option("--seconds", options.seconds, "Time for each case")->type_name("S")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  Json document{{"benchmark", benchmark},
                {"torch", TORCH_VERSION},
                {"threads", at::get_num_threads()},
                {"cases", Json::array()}};
  for (const auto& [name, run] : cases) {
    if (name.find(only) == std::string::npos) continue;
    std::cerr << benchmark << ": " << name << '\n';
    document["cases"].push_back(run(name, options));
  }
  std::cout << document.dump(2) << '\n';
  return 0;
}

}  // namespace inn::bench
