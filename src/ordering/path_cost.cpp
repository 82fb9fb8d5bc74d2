#include "inn/ordering/path_cost.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/zeros.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "block_pairs.h"
#include "inn/core/error.h"

namespace inn {

template <class T>
PackedRows<T>::PackedRows(const at::Tensor& rows) : rows_(rows.size(0)), columns_(rows.size(1)) {
  constexpr int64_t kPanel = distance_kernel::kPanel<T>;
  const int64_t whole = rows_ / kPanel, rest = rows_ % kPanel;
  packed_ = at::empty({panels(), columns_, kPanel}, c10::CppTypeToScalarType<T>::value);
  packed_.narrow(0, 0, whole)
      .copy_(rows.narrow(0, 0, whole * kPanel).unflatten(0, {whole, kPanel}).transpose(1, 2));
  if (rest > 0)
    packed_[whole].copy_(at::constant_pad_nd(rows.narrow(0, rows_ - rest, rest).t(), {0, kPanel - rest}));
}

template class PackedRows<float>;
template class PackedRows<double>;

namespace {

void check_rows(const at::Tensor& rows) {
  require(rows.defined() && rows.dim() == 2 && rows.size(0) >= 1 && rows.is_floating_point(), "ordering",
          "Rows must be a floating matrix [n, k] with n ≥ 1 but are {}.",
          rows.defined() ? fmt::format("{} {}", rows.toString(), fmt::join(rows.sizes(), "×")) : "undefined");
}

constexpr int64_t kPartRows = 256;  // rows at once, which bounds the memory of temporaries

bool is_finite(const at::Tensor& matrix) {
  for (int64_t i = 0; i < matrix.size(0); i += kPartRows)
    if (!matrix.slice(0, i, i + kPartRows).isfinite().all().item<bool>()) return false;
  return true;
}

/// Adds scale·‖T_i − T_j‖₁ to cost[i, j] for all blocks of pairs on and above the diagonal.
void add_distances(at::Tensor& cost, const at::Tensor& rows, double scale) {
  constexpr int64_t kColumns = 2048;  // packed at once, which bounds the memory
  const int64_t n = cost.size(0);
  auto* costs = cost.mutable_data_ptr<float>();
  for (int64_t first = 0; first < rows.size(1); first += kColumns) {
    const PackedRows<float> packed(rows.narrow(1, first, std::min(kColumns, rows.size(1) - first)));
    for_each_block(packed, distance_kernel::absolute_differences, [&](const BlockOfPairs<float>& block) {
      for (int64_t i = 0; i < block.i_count; ++i) {
        float* to = costs + (block.i + i) * n + block.j;
        const float* sums = block.sums + i * block.stride;
        for (int64_t j = 0; j < block.j_count; ++j) to[j] += static_cast<float>(scale * sums[j]);
      }
    });
  }
}

/// Copies the blocks above the diagonal to those below.
void mirror(at::Tensor& cost) {
  const int64_t n = cost.size(0);
  for (int64_t i = kBlockRows; i < n; i += kBlockRows) {
    const int64_t count = std::min(kBlockRows, n - i);
    cost.narrow(0, i, count).narrow(1, 0, i).copy_(cost.narrow(0, 0, i).narrow(1, i, count).t());
  }
}

}  // namespace

double total_variation(const at::Tensor& rows) {
  check_rows(rows);
  const at::Tensor from = rows.detach().slice(0, 0, -1), to = rows.detach().slice(0, 1);
  double sum = 0;
  for (int64_t i = 0; i < from.size(0); i += kPartRows) {
    const at::Tensor steps = to.slice(0, i, i + kPartRows) - from.slice(0, i, i + kPartRows);
    sum += steps.abs_().sum(at::kDouble).item<double>();
  }
  return sum;
}

at::Tensor path_cost(const std::vector<at::Tensor>& rows) {
  require(!rows.empty(), "ordering", "path_cost: at least one matrix of rows is required but got none.");
  for (const auto& matrix : rows) check_rows(matrix);
  const int64_t n = rows[0].size(0);
  at::Tensor cost = at::zeros({n, n}, at::kFloat);
  for (size_t i = 0; i < rows.size(); ++i) {
    require(rows[i].size(0) == n, "ordering",
            "path_cost: matrix {} must have {} rows as the first but has {}.", i, n, rows[i].size(0));
    const at::Tensor matrix = rows[i].detach().to(at::kCPU, at::kFloat);
    require(is_finite(matrix), "ordering", "path_cost: matrix {} holds NaN or infinity.", i);
    const double variation = total_variation(matrix);
    if (variation > 0) add_distances(cost, matrix, 1 / variation);
  }
  mirror(cost);
  return cost;
}

at::Tensor distance_sums(const at::Tensor& rows) {
  check_rows(rows);
  const int64_t n = rows.size(0), blocks = (n + kBlockRows - 1) / kBlockRows;
  // The contribution of each block to the sum of each row, so that the order of summation does not depend on
  // the threads.
  at::Tensor parts = at::zeros({blocks, n}, at::kDouble);
  auto* values = parts.mutable_data_ptr<double>();
  const PackedRows<double> packed(rows.detach().to(at::kCPU));
  for_each_block(packed, distance_kernel::squared_differences, [&](const BlockOfPairs<double>& block) {
    double* of_i = values + block.j / kBlockRows * n + block.i;
    double* of_j = values + block.i / kBlockRows * n + block.j;
    for (int64_t i = 0; i < block.i_count; ++i) {
      for (int64_t j = 0; j < block.j_count; ++j) {
        const double distance = std::sqrt(block.sums[i * block.stride + j]);
        of_i[i] += distance;
        if (block.i != block.j) of_j[j] += distance;
      }
    }
  });
  return parts.sum(0);
}

}  // namespace inn
