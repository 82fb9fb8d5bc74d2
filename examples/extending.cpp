// Extending the library without changing it: an operator rule, an importance, a quadrature, a data format. The
// code of CONTRIBUTING.md.

#include <inn/data/dataset.h>
#include <inn/dimension/tracer.h>
#include <inn/pruning/pruner.h>
#include <inn/quadrature/quadrature.h>
#include <inn/resampling/verify.h>

#include <ATen/ATen.h>
#include <torch/library.h>
#include <torch/nn/modules/linear.h>

#include <fstream>
#include <iostream>
#include <numbers>
#include <sstream>
#include <stdexcept>

// ---- an operator that the library does not know

at::Tensor scale_shift(const at::Tensor& self, const at::Tensor& scale, const at::Tensor& shift) {
  return self * scale + shift;
}
TORCH_LIBRARY(mylib, library) {
  library.def("scale_shift(Tensor self, Tensor scale, Tensor shift) -> Tensor");
}
TORCH_LIBRARY_IMPL(mylib, CPU, library) { library.impl("scale_shift", scale_shift); }

struct ScaledMlp : torch::nn::Module {
  ScaledMlp() {
    first = register_module("first", torch::nn::Linear(8, 16));
    second = register_module("second", torch::nn::Linear(16, 4));
    scale = register_parameter("scale", at::rand({16}) + 0.5);
    shift = register_parameter("shift", at::randn({16}));
  }
  at::Tensor forward(const at::Tensor& x) {
    static const auto op = c10::Dispatcher::singleton()
                               .findSchemaOrThrow("mylib::scale_shift", "")
                               .typed<decltype(scale_shift)>();
    return second->forward(op.call(at::relu(first->forward(x)), scale, shift));
  }
  torch::nn::Linear first{nullptr}, second{nullptr};
  at::Tensor scale, shift;
};

// ---- a quadrature

/// Fejér's first rule: the polynomial through the zeros of a Chebyshev polynomial, integrated.
at::Tensor fejer_nodes(int64_t m, uint64_t) {
  const auto angles = (at::arange(m, at::kDouble) + 0.5) * (std::numbers::pi / static_cast<double>(m));
  return (1 - angles.cos()) / 2;
}

at::Tensor fejer_weights(const at::Tensor& points) {
  const int64_t m = points.numel();
  const auto angles = (1 - 2 * points).acos();
  auto sum = at::ones_like(points);
  for (int64_t j = 1; j <= m / 2; ++j)
    sum = sum - 2 * (2 * static_cast<double>(j) * angles).cos() / static_cast<double>(4 * j * j - 1);
  return sum / static_cast<double>(m);
}

// ---- a data format

/// Reads points.csv: one sample per line, numbers separated by commas, the last one its class.
inn::Dataset read_points(const std::filesystem::path& folder, inn::Split) {
  std::ifstream file(folder / "points.csv");
  std::vector<double> numbers;
  int64_t samples = 0;
  for (std::string line; std::getline(file, line); ++samples) {
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, ',');) numbers.push_back(std::stod(cell));
  }
  if (samples == 0 || numbers.size() % samples != 0)
    throw std::runtime_error("'" + folder.string() + "/points.csv': must have lines of equal length.");
  const auto table = at::tensor(numbers, at::kDouble).view({samples, -1});
  const int64_t columns = table.size(1) - 1;
  const auto labels = table.select(1, columns).to(at::kLong);
  return {.inputs = table.narrow(1, 0, columns).to(at::kFloat),
          .labels = labels,
          .class_names = std::vector<std::string>(at::max(labels).item<int64_t>() + 1)};
}

int main() {
  at::manual_seed(0);
  ScaledMlp module;
  const inn::Network network = inn::Tracer(module, at::randn({2, 8})).source().network;

  auto rules = inn::RuleTable::standard();
  rules.add({"mylib::scale_shift", "result [n, c] = self [n, c] · scale [c] + shift [c]",
             [](inn::RuleContext& context) {
               const auto self = context.axes("self");
               for (const auto* name : {"scale", "shift"})
                 context.unify(context.axes(name).at(0), self.back());
               context.set_result(self);
             }});
  const auto analysed = inn::analyse(network, rules);
  for (const auto& group : inn::verify_groups(analysed, {}))
    std::cout << group.name << ": " << (group.ok() ? "ok" : group.failure) << "\n";

  const inn::Importance largest{.name = "largest",
                                .doc = "largest absolute weight that produces the channel",
                                .scores = [](const inn::ScoredGroup& group) {
                                  std::vector<at::Tensor> scores;
                                  for (const auto& member : group.members)
                                    scores.push_back(group.rows(member).abs().amax({1}));
                                  return scores;
                                }};
  inn::Pruner pruner(analysed, {.importance = largest});
  pruner(analysed.groups.groups[analysed.groups.find("first")], 0.5);
  const inn::Network half = pruner.prune();
  for (const auto& entry : half.state) std::cout << entry.name << " " << entry.tensor.sizes() << "\n";

  const inn::Quadrature fejer{.name = "fejer",
                              .summary = "the polynomial through the zeros of a Chebyshev polynomial",
                              .points = inn::Quadrature::Points::own_nodes,
                              .positive = true,
                              .degree = [](int64_t m) { return m % 2 == 1 ? m : m - 1; },
                              .weights = fejer_weights,
                              .nodes = fejer_nodes};
  const auto points = inn::quadrature_nodes(fejer, 5);
  const auto weights = inn::quadrature_weights(fejer, points);
  std::cout << "integral of x^5 by five nodes: " << (weights * points.pow(5)).sum().item<double>() << "\n";

  inn::register_dataset_format(
      {.name = "points",
       .contents = "points.csv: one sample per line, the last number its class",
       .recognizes =
           [](const std::filesystem::path& path) { return std::filesystem::exists(path / "points.csv"); },
       .read = read_points});
  const std::filesystem::path folder = "points";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "points.csv") << "0.1,0.2,0\n0.3,0.4,1\n0.5,0.6,1\n";
  const auto dataset = inn::open_dataset(folder.string(), inn::Split::train);
  std::cout << dataset.size() << " samples, " << dataset.class_names.size() << " classes\n";
}
