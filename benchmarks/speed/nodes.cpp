// Chooses the nodes of wide groups, with kernels of activations and Gram matrices as trained layers have them: of low rank
// and noise. Prints JSON: seconds, and the error beside that of channels chosen by their norms.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "inn/data_quadrature/nodes.h"
#include "inn/pruning/importance.h"

namespace inn::bench {
namespace {

using Json = nlohmann::ordered_json;

/// E[a aᵀ] of n channels whose variance falls slowly, in a basis of its own.
at::Tensor falling_moment(int64_t n) {
  const at::Tensor basis = at::randn({n, n}, at::kDouble) / std::sqrt(static_cast<double>(n));
  const at::Tensor variances = at::arange(1, n + 1, at::kDouble).pow(-0.7);
  return at::mm(basis * variances, basis.t());
}

Json measured(int64_t n, double keep) {
  at::manual_seed(0);
  const std::vector<ConsumerKernel> consumers{{falling_moment(n), falling_moment(n)}};
  const auto count = static_cast<int64_t>(keep * static_cast<double>(n));
  const auto begin = std::chrono::steady_clock::now();
  const auto nodes = choose_nodes(consumers, count);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const auto by_norm = most_important(consumers[0].kernel.diagonal() * consumers[0].gram.diagonal(), count);
  return {{"channels", n},
          {"kept", count},
          {"threads", at::get_num_threads()},
          {"seconds", seconds},
          {"error", node_error(consumers, nodes)},
          {"error_by_norms", node_error(consumers, by_norm)}};
}

}  // namespace
}  // namespace inn::bench

int main(int argc, char** argv) {
  using namespace inn::bench;
  std::vector<int64_t> channels{256, 1024, 1536, 4096};
  double keep = 0.75;
  CLI::App app("Times choose_nodes of groups with one consumer; prints JSON");
  app.add_option("--channels", channels, "Widths of the groups")->capture_default_str();
  app.add_option("--keep", keep, "Fraction that is kept")->capture_default_str()->check(CLI::Range(0.0, 1.0));
  CLI11_PARSE(app, argc, argv);
  Json cases = Json::array();
  for (const auto n : channels) cases.push_back(measured(n, keep));
  std::cout << Json{{"benchmark", "nodes"}, {"cases", cases}}.dump(2) << '\n';
}
