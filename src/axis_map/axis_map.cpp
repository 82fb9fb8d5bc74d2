#include "inn/axis_map/axis_map.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <numeric>

#include "inn/core/error.h"
#include "sparse_sampling.h"

namespace inn {
namespace {

void require_scale(const char* what, const at::Tensor& q, int64_t width) {
  require(q.defined() && q.is_floating_point() && q.dim() == 1 && q.size(0) == width, "axis_map",
          "{}: the scale must be a floating point vector of length {} but got shape [{}].", what, width,
          q.defined() ? fmt::format("{}", fmt::join(q.sizes(), ", ")) : "");
}

}  // namespace

AxisMap::AxisMap(Kind kind, int64_t rows, int64_t cols, at::Tensor index, at::Tensor weight)
    : kind_(kind), rows_(rows), cols_(cols), index_(std::move(index)), weight_(std::move(weight)) {}

AxisMap AxisMap::identity(int64_t n) {
  require(n >= 1, "axis_map", "AxisMap::identity: the width must be at least 1 but got {}.", n);
  return AxisMap(Kind::identity, n, n, {}, {});
}

AxisMap AxisMap::select(std::vector<int64_t> indices, int64_t n) {
  require(!indices.empty(), "axis_map", "AxisMap::select: there must be at least one index but got none.");
  bool in_order = static_cast<int64_t>(indices.size()) == n;
  for (size_t j = 0; j < indices.size(); ++j) {
    require(indices[j] >= 0 && indices[j] < n, "axis_map",
            "AxisMap::select: indices must be in [0, {}) but index {} is {}.", n, j, indices[j]);
    in_order = in_order && indices[j] == static_cast<int64_t>(j);
  }
  if (in_order) return identity(n);
  const auto m = static_cast<int64_t>(indices.size());
  return AxisMap(Kind::selection, m, n, at::tensor(indices, at::kLong), {});
}

AxisMap AxisMap::picked(const at::Tensor& index, int64_t n) {
  return AxisMap(Kind::selection, index.size(0), n, index, {});
}

AxisMap AxisMap::taps(at::Tensor index, at::Tensor weight, int64_t n) {
  require(index.defined() && index.scalar_type() == at::kLong && index.dim() == 2 && index.numel() > 0,
          "axis_map", "AxisMap::taps: the index must be a non-empty int64 matrix [m, k].");
  require(weight.defined() && weight.is_floating_point() && weight.sizes() == index.sizes(), "axis_map",
          "AxisMap::taps: the weight must be floating point of shape [{}], as the index.",
          fmt::join(index.sizes(), ", "));
  require(weight.device() == index.device(), "axis_map",
          "AxisMap::taps: the index is on {} but the weight on {}.", index.device().str(),
          weight.device().str());
  const auto lowest = index.min().item<int64_t>(), highest = index.max().item<int64_t>();
  require(lowest >= 0 && highest < n, "axis_map",
          "AxisMap::taps: indices must be in [0, {}) but they span [{}, {}].", n, lowest, highest);
  const int64_t m = index.size(0);
  return AxisMap(Kind::taps, m, n, std::move(index), std::move(weight));
}

AxisMap AxisMap::dense(at::Tensor matrix) {
  require(matrix.defined() && matrix.is_floating_point() && matrix.dim() == 2 && matrix.numel() > 0,
          "axis_map", "AxisMap::dense: the map must be a non-empty floating point matrix [m, n].");
  const int64_t m = matrix.size(0), n = matrix.size(1);
  return AxisMap(Kind::dense, m, n, {}, std::move(matrix));
}

AxisMap::Sparse AxisMap::sparse(const at::TensorOptions& weight_options) const {
  if (kind_ == Kind::taps) return {index_, weight_};
  const auto index = kind_ == Kind::selection ? index_ : at::arange(rows_, at::TensorOptions(at::kLong));
  const auto placed = index.to(weight_options.device());
  return {placed.unsqueeze(1), at::ones({rows_, 1}, weight_options)};
}

AxisMap AxisMap::scale_rows(const at::Tensor& q) const {
  require_scale("AxisMap::scale_rows", q, rows_);
  if (kind_ == Kind::dense) return AxisMap(Kind::dense, rows_, cols_, {}, weight_ * q.unsqueeze(1));
  if (kind_ == Kind::taps) return AxisMap(Kind::taps, rows_, cols_, index_, weight_ * q.unsqueeze(1));
  return AxisMap(Kind::taps, rows_, cols_, sparse(q.options()).index, q.unsqueeze(1));
}

AxisMap AxisMap::scale_columns(const at::Tensor& q) const {
  require_scale("AxisMap::scale_columns", q, cols_);
  if (kind_ == Kind::dense) return AxisMap(Kind::dense, rows_, cols_, {}, weight_ * q);
  const auto index = sparse(q.options()).index;
  const auto factor = q.index_select(0, index.flatten()).view(index.sizes());
  return AxisMap(Kind::taps, rows_, cols_, index, kind_ == Kind::taps ? weight_ * factor : factor);
}

at::Tensor AxisMap::to_dense(const at::TensorOptions& options) const {
  if (kind_ == Kind::identity) return at::eye(rows_, options);
  if (kind_ == Kind::dense) return weight_.to(options);
  const auto [index, weight] = sparse(options);
  return at::zeros({rows_, cols_}, options).scatter_add(1, index.to(options.device()), weight.to(options));
}

AxisMap AxisMap::to(c10::ScalarType dtype) const {
  require(at::isFloatingType(dtype), "axis_map", "AxisMap::to: the dtype must be floating point but got {}.",
          at::toString(dtype));
  return AxisMap(kind_, rows_, cols_, index_, weight_.defined() ? weight_.to(dtype) : weight_);
}

AxisMap AxisMap::to(c10::Device device) const {
  return AxisMap(kind_, rows_, cols_, index_.defined() ? index_.to(device) : index_,
                 weight_.defined() ? weight_.to(device) : weight_);
}

AxisMap AxisMap::prepared_for(const at::Tensor& x) const {
  AxisMap map = to(x.device());
  const bool is_sparse = kind_ == Kind::selection || kind_ == Kind::taps;
  const bool is_sampled = is_sparse && can_sample_on(x.device().type());
  if (weight_.defined() && x.is_floating_point()) {
    // As sample_sparse has it: sums of the short types are made in float32.
    const auto sums = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    map.weight_ = map.weight_.to(is_sampled ? sums : x.scalar_type());
  }
  if (is_sampled) map.begin_ = begins(x.device());
  return map;
}

int64_t AxisMap::nbytes() const {
  size_t bytes = 0;
  for (const auto& tensor : {index_, weight_, begin_}) bytes += tensor.defined() ? tensor.nbytes() : 0;
  return static_cast<int64_t>(bytes);
}

at::Tensor AxisMap::begins(c10::Device device) const {
  if (begin_.defined() && begin_.device() == device) return begin_;
  const int64_t taps = kind_ == Kind::taps ? index_.size(1) : 1;
  return at::arange(0, rows_ * taps + 1, taps, at::TensorOptions(at::kLong).device(device));
}

bool AxisMap::is_sparse_on(const at::Tensor& x) const {
  const auto dtype = x.scalar_type();
  const bool is_summed =
      dtype == at::kFloat || dtype == at::kDouble || dtype == at::kBFloat16 || dtype == at::kHalf;
  // The kernel reads memory as it lies, and knows no forward-mode tangents.
  const bool is_plain = x.layout() == at::kStrided && !x.is_neg() && !x._fw_grad(0).defined();
  return (kind_ == Kind::selection || kind_ == Kind::taps) && can_sample_on(x.device().type()) && is_summed &&
         is_plain;
}

at::Tensor AxisMap::apply(const at::Tensor& x, int64_t axis) const { return apply(x, axis, 1, 1); }

at::Tensor AxisMap::apply(const at::Tensor& x, int64_t axis, int64_t outer, int64_t inner) const {
  const int64_t place = checked_axis(x, axis, outer, inner);
  if (kind_ == Kind::identity) return x;
  if (is_sparse_on(x)) return sample_sparse(x, {sparse_axis({place, *this, outer, inner}, x.device())});
  if (outer != 1 || inner != 1)
    return apply(x.unflatten(place, {outer, cols_, inner}), place + 1).flatten(place, place + 2);
  if (kind_ == Kind::selection) return x.index_select(place, index_.to(x.device()));
  require(x.is_floating_point() || x.is_complex(), "axis_map",
          "AxisMap::apply: a weighted map takes floating point tensors but got {}.",
          at::toString(x.scalar_type()));
  return kind_ == Kind::taps ? apply_taps(x, place) : apply_dense(x, place);
}

int64_t AxisMap::checked_axis(const at::Tensor& x, int64_t axis, int64_t outer, int64_t inner) const {
  require(outer >= 1 && inner >= 1, "axis_map",
          "AxisMap::apply: outer and inner must be at least 1 but are {} and {}.", outer, inner);
  require(x.defined() && axis >= -x.dim() && axis < x.dim(), "axis_map",
          "AxisMap::apply: the axis must be one of the tensor's {} but got {}.", x.defined() ? x.dim() : 0,
          axis);
  const int64_t place = axis < 0 ? axis + x.dim() : axis;
  if (x.size(place) == outer * cols_ * inner) return place;
  const auto width =
      outer == 1 && inner == 1 ? std::to_string(cols_) : fmt::format("{}·{}·{}", outer, cols_, inner);
  raise("axis_map", "AxisMap::apply: axis {} must have width {} but a tensor of shape [{}] came.", axis,
        width, fmt::join(x.sizes(), ", "));
}

SparseAxis AxisMap::sparse_axis(const MappedAxis& mapped, c10::Device device) {
  const auto& map = mapped.map;
  return {.axis = mapped.axis,
          .outer = mapped.outer,
          .inner = mapped.inner,
          .rows = map.rows_,
          .cols = map.cols_,
          .begin = map.begins(device),
          .column = map.index_.to(device).contiguous().view({-1}),
          .value = map.weight_.defined() ? map.weight_.to(device).reshape({-1}) : at::Tensor()};
}

at::Tensor apply_both(const at::Tensor& x, const MappedAxis& first, const MappedAxis& second) {
  const auto counted = [&](const MappedAxis& mapped) {
    return mapped.axis < 0 ? mapped.axis + x.dim() : mapped.axis;
  };
  if (counted(first) == counted(second) || !first.map.is_sparse_on(x) || !second.map.is_sparse_on(x)) {
    const at::Tensor once = second.map.apply(x, second.axis, second.outer, second.inner);
    return first.map.apply(once, first.axis, first.outer, first.inner);
  }
  std::vector<SparseAxis> axes;
  for (const auto& [axis, map, outer, inner] : {first, second})
    axes.push_back(
        AxisMap::sparse_axis({map.checked_axis(x, axis, outer, inner), map, outer, inner}, x.device()));
  return sample_sparse(x, axes);
}

// Where there is no kernel of ours: on devices without one, and for complex numbers.
at::Tensor AxisMap::apply_taps(const at::Tensor& x, int64_t axis) const {
  std::vector<int64_t> shape(x.dim(), 1);
  shape[axis] = rows_;
  const auto index = index_.to(x.device());
  const auto weight = weight_.to(x.options());
  at::Tensor sum;
  for (int64_t t = 0; t < index.size(1); ++t) {
    const auto factor = weight.select(1, t).reshape(shape);
    const auto term = x.index_select(axis, index.select(1, t));
    // In place: neither the product nor the sum is kept for the backward pass, so k taps need two results,
    // not k.
    if (sum.defined()) {
      sum.addcmul_(term, factor);
    } else {
      sum = term * factor;
    }
  }
  return sum;
}

at::Tensor AxisMap::apply_dense(const at::Tensor& x, int64_t axis) const {
  const auto matrix = weight_.to(x.options());
  if (axis == x.dim() - 1) return at::matmul(x, matrix.t());
  std::vector<int64_t> shape = x.sizes().vec();
  shape[axis] = rows_;
  const auto sizes = x.sizes();
  const int64_t before =
      std::accumulate(sizes.begin(), sizes.begin() + axis, int64_t{1}, std::multiplies<>());
  const int64_t behind =
      std::accumulate(sizes.begin() + axis + 1, sizes.end(), int64_t{1}, std::multiplies<>());
  return at::matmul(matrix, x.reshape({before, cols_, behind})).reshape(shape);
}

}  // namespace inn
