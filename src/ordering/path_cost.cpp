#include "inn/ordering/path_cost.h"

#include <ATen/ops/pdist.h>
#include <ATen/ops/triu_indices.h>
#include <ATen/ops/zeros.h>

#include <fmt/ranges.h>

#include <algorithm>

#include "inn/core/error.h"

namespace inn {
namespace {

// Values in a block of columns: 1 MiB of float32, which stays in a core's cache while all pairs of rows are
// compared.
constexpr int64_t kBlockValues = 1 << 18;
constexpr int64_t kLeastColumns = 16;

void check_rows(const at::Tensor& rows) {
  require(rows.defined() && rows.dim() == 2 && rows.size(0) >= 1 && rows.is_floating_point(), "ordering",
          "Rows must be a floating matrix [n, k] with n ≥ 1 but are {}.",
          rows.defined() ? fmt::format("{} {}", rows.toString(), fmt::join(rows.sizes(), "×")) : "undefined");
}

/// Adds scale·‖T_i − T_j‖₁ for all pairs i < j, in the order of at::pdist.
void add_distances(at::Tensor& pairs, const at::Tensor& rows, double scale) {
  const int64_t columns = std::max(kLeastColumns, kBlockValues / rows.size(0));
  for (int64_t first = 0; first < rows.size(1); first += columns) {
    const at::Tensor block = rows.narrow(1, first, std::min(columns, rows.size(1) - first));
    pairs.add_(at::pdist(block.contiguous(), 1), scale);
  }
}

}  // namespace

double total_variation(const at::Tensor& rows) {
  check_rows(rows);
  const int64_t n = rows.size(0);
  if (n == 1) return 0;
  const at::Tensor steps = rows.detach().narrow(0, 1, n - 1) - rows.detach().narrow(0, 0, n - 1);
  return steps.abs_().sum(at::kDouble).item<double>();
}

at::Tensor path_cost(const std::vector<at::Tensor>& rows) {
  require(!rows.empty(), "ordering", "path_cost: at least one matrix of rows is required but got none.");
  for (const auto& matrix : rows) check_rows(matrix);
  const int64_t n = rows[0].size(0);
  at::Tensor pairs = at::zeros({n * (n - 1) / 2}, at::kFloat);
  for (size_t i = 0; i < rows.size(); ++i) {
    require(rows[i].size(0) == n, "ordering",
            "path_cost: matrix {} must have {} rows as the first but has {}.", i, n, rows[i].size(0));
    const at::Tensor matrix = rows[i].detach().to(at::kCPU, at::kFloat);
    require(matrix.isfinite().all().item<bool>(), "ordering", "path_cost: matrix {} holds NaN or infinity.",
            i);
    const double variation = total_variation(matrix);
    if (variation > 0) add_distances(pairs, matrix, 1 / variation);
  }
  at::Tensor cost = at::zeros({n, n}, at::kFloat);
  const at::Tensor places = at::triu_indices(n, n, 1);
  cost.index_put_({places[0], places[1]}, pairs);
  cost.add_(cost.t().clone());
  return cost;
}

}  // namespace inn
