#include "scaled_kernels.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "inn/core/error.h"
#include "inverse.h"

namespace inn {

// Of the mean of the diagonal: below it float64 sees a singular matrix.
constexpr double kLeastRidge = 1e-6;

std::vector<ScaledKernel> scaled_kernels(const std::vector<ConsumerKernel>& consumers, double ridge,
                                         bool plain_gram) {
  require(!consumers.empty(), "data_quadrature", "Nodes: a group requires a consumer but has none.");
  const int64_t n = consumers[0].kernel.size(0) / consumers[0].block;
  std::vector<ScaledKernel> result;
  for (const auto& consumer : consumers) {
    const int64_t size = n * consumer.block;
    require(consumer.kernel.dim() == 2 && consumer.kernel.size(0) == size &&
                consumer.kernel.size(1) == size && consumer.gram.sizes() == consumer.kernel.sizes(),
            "data_quadrature", "Nodes: kernels and Gram matrices must be [{}, {}].", size, size);
    at::Tensor kernel = consumer.kernel.to(at::kDouble).clone();
    const double mean = kernel.diagonal().mean().item<double>();
    kernel.diagonal().add_((ridge * kernel.diagonal())
                               .clamp_min(std::max(kLeastRidge * mean, std::numeric_limits<double>::min())));
    const at::Tensor gram = plain_gram ? at::eye(size, at::kDouble) : consumer.gram.to(at::kDouble);
    const double energy = (gram * kernel).sum().item<double>();
    result.push_back({kernel, energy > 0 ? gram * (consumer.weight / energy) : gram, consumer.block});
  }
  return result;
}

at::Tensor kernel_left(const ScaledKernel& scaled, const std::vector<int64_t>& nodes) {
  const at::Tensor index =
      (at::tensor(nodes).unsqueeze(1) * scaled.block + at::arange(scaled.block)).flatten();
  const at::Tensor across = scaled.kernel.index_select(0, index);
  return scaled.kernel - at::mm(across.t(), at::mm(inverse_of(across.index_select(1, index)), across));
}

double error_left(const std::vector<ScaledKernel>& consumers, const std::vector<int64_t>& nodes) {
  double sum = 0;
  for (const auto& scaled : consumers) sum += (scaled.gram * kernel_left(scaled, nodes)).sum().item<double>();
  return std::max(0., sum);
}

}  // namespace inn
