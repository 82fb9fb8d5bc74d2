// Maps made of maps: composition, transposition, direct sums, Kronecker products with identities.
#include <ATen/ATen.h>

#include "inn/axis_map/axis_map.h"
#include "inn/core/error.h"

namespace inn {
namespace {

// More entries a row than this, and a dense matrix is as fast and simpler.
constexpr int64_t most_taps = 16;

}  // namespace

AxisMap AxisMap::after(const AxisMap& first) const {
  require(first.rows_ == cols_, "axis_map", "AxisMap::after: the first map must give width {} but gives {}.",
          cols_, first.rows_);
  if (is_identity()) return first;
  if (first.is_identity()) return *this;
  if (kind_ == Kind::selection) {
    const auto pick = [&](const at::Tensor& of) {
      return of.defined() ? of.index_select(0, index_.to(of.device())) : of;
    };
    return AxisMap(first.kind_, rows_, first.cols_, pick(first.index_), pick(first.weight_));
  }
  if (kind_ == Kind::taps && first.kind_ == Kind::selection) {
    const auto index =
        first.index_.to(index_.device()).index_select(0, index_.flatten()).view(index_.sizes());
    return AxisMap(Kind::taps, rows_, first.cols_, index, weight_);
  }
  if (kind_ == Kind::taps && first.kind_ == Kind::taps &&
      index_.size(1) * first.index_.size(1) <= most_taps) {
    const auto flat = index_.flatten();
    const std::vector<int64_t> shape = {rows_, index_.size(1), first.index_.size(1)};
    const auto index = first.index_.to(index_.device()).index_select(0, flat).view(shape);
    const auto inner = first.weight_.to(weight_.device()).index_select(0, flat).view(shape);
    return AxisMap(Kind::taps, rows_, first.cols_, index.flatten(1),
                   (weight_.unsqueeze(2) * inner).flatten(1));
  }
  const auto dtype = first.weight_.defined()
                         ? at::promote_types(weight_.scalar_type(), first.weight_.scalar_type())
                         : weight_.scalar_type();
  return dense(apply(first.to_dense(weight_.options().dtype(dtype)), 0));
}

AxisMap AxisMap::transpose() const {
  if (is_identity()) return *this;
  if (kind_ == Kind::dense) return dense(weight_.t());
  const auto device = index_.device();
  const auto [index, weight] = sparse(at::TensorOptions(at::kDouble).device(device));
  // Row c of the transpose lists the entries that name column c; `slot` is how many of them stood before.
  const auto columns = index.flatten().cpu().contiguous();
  const int64_t* column = columns.const_data_ptr<int64_t>();
  std::vector<std::vector<int64_t>> entries(cols_);
  size_t most = 1;
  for (int64_t e = 0; e < columns.numel(); ++e) {
    auto& row = entries[column[e]];
    row.push_back(e);
    most = std::max(most, row.size());
  }
  const auto width = static_cast<int64_t>(most);
  if (width > most_taps) return dense(to_dense(weight.options()).t());
  const int64_t taps_per_row = index.size(1), padding = columns.numel();
  const auto source = at::full({cols_, width}, padding, at::kLong),
             rows = at::zeros({cols_, width}, at::kLong);
  for (int64_t c = 0; c < cols_; ++c) {
    for (size_t slot = 0; slot < entries[c].size(); ++slot) {
      const auto place = c * width + static_cast<int64_t>(slot);
      source.mutable_data_ptr<int64_t>()[place] = entries[c][slot];
      rows.mutable_data_ptr<int64_t>()[place] = entries[c][slot] / taps_per_row;
    }
  }
  const auto padded = at::cat({weight.flatten(), at::zeros({1}, weight.options())});
  auto values = padded.index_select(0, source.flatten().to(device)).view({cols_, width});
  return AxisMap(Kind::taps, cols_, rows_, rows.to(device), std::move(values));
}

AxisMap AxisMap::expand(int64_t outer, int64_t inner) const {
  require(outer >= 1 && inner >= 1, "axis_map",
          "AxisMap::expand: outer and inner must be at least 1 but are {} and {}.", outer, inner);
  if (outer == 1 && inner == 1) return *this;
  const int64_t m = outer * rows_ * inner, n = outer * cols_ * inner;
  if (is_identity()) return identity(n);
  if (kind_ == Kind::dense) {
    const auto eye = [&](int64_t size) { return at::eye(size, weight_.options().requires_grad(false)); };
    return dense(at::kron(at::kron(eye(outer), weight_), eye(inner)));
  }
  const int64_t k = kind_ == Kind::taps ? index_.size(1) : 1;
  const auto o = at::arange(outer, index_.options()).view({outer, 1, 1, 1});
  const auto i = at::arange(inner, index_.options()).view({1, 1, inner, 1});
  const auto index = (o * cols_ + index_.view({1, rows_, 1, k})) * inner + i;
  if (kind_ == Kind::selection) return picked(index.reshape({m}), n);
  const auto weight = weight_.view({1, rows_, 1, k}).expand({outer, rows_, inner, k}).reshape({m, k});
  return AxisMap(Kind::taps, m, n, index.reshape({m, k}), weight);
}

AxisMap AxisMap::direct_sum(std::span<const AxisMap> maps) {
  require(!maps.empty(), "axis_map", "AxisMap::direct_sum: there must be at least one map but got none.");
  if (maps.size() == 1) return maps[0];
  int64_t m = 0, n = 0, k = 1;
  Kind kind = Kind::identity;
  at::TensorOptions options(at::kDouble);
  for (const auto& map : maps) {
    m += map.rows_;
    n += map.cols_;
    kind = std::max(kind, map.kind_);
    if (map.kind_ == Kind::taps) k = std::max(k, map.index_.size(1));
    if (map.weight_.defined()) options = map.weight_.options().requires_grad(false);
  }
  if (kind == Kind::identity) return identity(n);
  if (kind == Kind::dense) {
    std::vector<at::Tensor> blocks;
    for (const auto& map : maps) blocks.push_back(map.to_dense(options));
    return dense(at::block_diag(blocks));
  }
  std::vector<at::Tensor> indices, weights;
  int64_t offset = 0;
  for (const auto& map : maps) {
    const auto [index, weight] = map.sparse(options);
    const int64_t missing = k - index.size(1);
    // A row with fewer taps is filled up with taps of no weight.
    indices.push_back(at::cat({index, index.narrow(1, 0, 1).expand({-1, missing})}, 1) + offset);
    weights.push_back(at::constant_pad_nd(weight, {0, missing}));
    offset += map.cols_;
  }
  if (kind == Kind::selection) return picked(at::cat(indices).squeeze(1), n);
  return AxisMap(Kind::taps, m, n, at::cat(indices), at::cat(weights));
}

}  // namespace inn
