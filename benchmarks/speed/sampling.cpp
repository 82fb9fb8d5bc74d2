// The sampling kernel against a copy of the source and against the same by index_select.

#include <ATen/ATen.h>

#include "contest.h"
#include "inn/grid/grid.h"
#include "inn/weight_function/interpolation_kernel.h"
#include "inn/weight_function/sample.h"

namespace inn::bench {
namespace {

using Json = nlohmann::ordered_json;

struct Sampled {
  std::vector<int64_t> shape;
  std::vector<int64_t> axes;
};

/// What torch's own operators make of it: one index_select and one product a tap and axis.
at::Tensor by_index_select(at::Tensor x, const std::vector<int64_t>& axes,
                           const std::vector<at::Tensor>& index, const std::vector<at::Tensor>& weight) {
  for (size_t a = 0; a < axes.size(); ++a) {
    std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
    shape[static_cast<size_t>(axes[a])] = index[a].size(0);
    at::Tensor sum;
    for (int64_t t = 0; t < index[a].size(1); ++t) {
      const auto term =
          x.index_select(axes[a], index[a].select(1, t)) * weight[a].select(1, t).reshape(shape);
      sum = sum.defined() ? sum + term : term;
    }
    x = sum;
  }
  return x;
}

Json measured(const std::string& name, const Sampled& sampled, bool backward, const ContestOptions& options) {
  const auto x = at::randn(sampled.shape).set_requires_grad(backward);
  std::vector<MappedAxis> maps;
  std::vector<at::Tensor> index, weight;
  for (const int64_t axis : sampled.axes) {
    const int64_t n = x.size(axis), m = n / 2;
    maps.push_back({axis, interpolation_map(find_kernel("cubic"), n, uniform_points(m))});
    // The four taps of each row, those without weight too.
    const auto dense = maps.back().map.to_dense(at::kFloat);
    index.push_back(std::get<1>(dense.abs().topk(4, 1)));
    weight.push_back(dense.gather(1, index.back()));
  }
  at::Tensor gradient;
  const auto once = [&](const std::function<at::Tensor()>& forward) {
    return [&, forward] {
      const auto y = forward();
      if (!backward) return;
      if (!gradient.defined()) gradient = at::randn_like(y);
      x.mutable_grad() = at::Tensor();
      y.backward(gradient);
    };
  };
  return contest(name,
                 {{"copy of the source", [&] { x.detach().clone(); }},
                  {"kernel", once([&] { return sample_tensor(x, maps); })},
                  {"index_select", once([&] { return by_index_select(x, sampled.axes, index, weight); })}},
                 options);
}

}  // namespace
}  // namespace inn::bench

int main(int argc, char** argv) {
  using namespace inn::bench;
  const std::vector<std::pair<std::string, Sampled>> tensors{
      {"convolution [512, 512, 3, 3], both axes to half", {{512, 512, 3, 3}, {0, 1}}},
      {"convolution [512, 512, 3, 3], axis 0 to half", {{512, 512, 3, 3}, {0}}},
      {"convolution [512, 512, 3, 3], axis 1 to half", {{512, 512, 3, 3}, {1}}},
      {"convolution [64, 64, 3, 3], both axes to half", {{64, 64, 3, 3}, {0, 1}}},
      {"linear [2048, 512], both axes to half", {{2048, 512}, {0, 1}}},
      {"bias [512], to half", {{512}, {0}}},
  };
  std::vector<Case> cases;
  for (const auto& [name, sampled] : tensors)
    for (const bool backward : {false, true})
      cases.push_back({name + (backward ? ", with gradient" : ""),
                       [sampled = sampled, backward](const std::string& what, const ContestOptions& options) {
                         return measured(what, sampled, backward, options);
                       }});
  return run_cases("sampling", cases, argc, argv);
}
