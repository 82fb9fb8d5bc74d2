#pragma once
// Linear maps along one dimension of a tensor.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace inn {

struct MappedAxis;
struct SparseAxis;

/// A linear map from an axis of width `cols()` (n) to one of width `rows()` (m): y_j = Σ_i A_ji x_i.
///
/// An immutable value; copies share tensors. It is stored in the cheapest form: the identity, a selection,
/// `taps` (k weighted entries per row) or a dense matrix. Weights may require gradients; everything computed
/// from a map (another map, a tensor) is differentiable in them.
class AxisMap {
 public:
  enum class Kind { identity, selection, taps, dense };

  /// Returns the identity of width n. Throws std::invalid_argument unless n ≥ 1.
  static AxisMap identity(int64_t n);

  /// Returns the map y_j = x_{indices[j]}; the identity where the indices are 0, 1, …, n−1. Indices may
  /// repeat. Throws std::invalid_argument if there is none or one is outside [0, n).
  static AxisMap select(std::vector<int64_t> indices, int64_t n);

  /// Returns the map y_j = Σ_t weight[j,t] x_{index[j,t]}.
  ///
  /// index: [m, k] int64 in [0, n), an index may occur several times in a row; weight: [m, k] floating point,
  /// same device. Both are shared, not copied. Throws std::invalid_argument for other shapes, dtypes or
  /// indices.
  static AxisMap taps(at::Tensor index, at::Tensor weight, int64_t n);

  /// Returns the map with that matrix, [m, n] floating point, shared and not copied.
  static AxisMap dense(at::Tensor matrix);

  /// Returns the block-diagonal map of an axis g1 ⊕ g2 ⊕ …, each map acting on its own part, in order.
  static AxisMap direct_sum(std::span<const AxisMap> maps);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  Kind kind() const { return kind_; }
  /// Whether `apply` returns its argument itself.
  bool is_identity() const { return kind_ == Kind::identity; }
  /// Whether gradients flow into the map's weights.
  bool requires_grad() const { return weight_.defined() && weight_.requires_grad(); }

  /// Returns diag(q)·A. q: [m] floating point. Throws std::invalid_argument for another shape.
  AxisMap scale_rows(const at::Tensor& q) const;
  /// Returns A·diag(q). q: [n] floating point. Throws std::invalid_argument for another shape.
  AxisMap scale_columns(const at::Tensor& q) const;
  /// Returns this·first: the map that applies `first` and then this one. Throws unless first.rows() is
  /// cols().
  AxisMap after(const AxisMap& first) const;
  /// Returns Aᵀ, from width m to width n.
  AxisMap transpose() const;
  /// Returns 1_outer ⊗ A ⊗ 1_inner: the map on an axis that is the product [outer·n·inner]. Both at least 1.
  AxisMap expand(int64_t outer, int64_t inner) const;

  /// Returns the matrix [m, n] in the dtype and on the device of `options`.
  at::Tensor to_dense(const at::TensorOptions& options = at::TensorOptions(at::kDouble)) const;
  /// Returns the map with its weights in `dtype`.
  AxisMap to(c10::ScalarType dtype) const;
  /// Returns the map with its tensors on `device`.
  AxisMap to(c10::Device device) const;
  /// Returns the map prepared for tensors with the device and dtype of x: equal results, without converting
  /// its own tensors each time.
  AxisMap prepared_for(const at::Tensor& x) const;
  /// Returns the number of bytes of its tensors, including shared ones.
  int64_t nbytes() const;

  /// Returns x with `axis` (negative counts from the end) mapped from width n to width m.
  ///
  /// In the dtype and on the device of x: weights are cast. Differentiable in x and in the weights. The
  /// identity returns x itself, no copy; a selection takes any dtype, other maps floating point or complex.
  /// Throws std::invalid_argument if x has no such axis, or another width there.
  at::Tensor apply(const at::Tensor& x, int64_t axis) const;

  /// Returns x with the middle factor of `axis` mapped, the axis being a product: [outer·n·inner] becomes
  /// [outer·m·inner]. Equals expand(outer, inner).apply(x, axis) without constructing that map.
  at::Tensor apply(const at::Tensor& x, int64_t axis, int64_t outer, int64_t inner) const;

 private:
  friend at::Tensor apply_both(const at::Tensor& x, const MappedAxis& first, const MappedAxis& second);

  AxisMap(Kind kind, int64_t rows, int64_t cols, at::Tensor index, at::Tensor weight);
  struct Sparse {
    at::Tensor index, weight;  // [m, k]
  };
  Sparse sparse(const at::TensorOptions& weight_options) const;
  static AxisMap picked(const at::Tensor& index, int64_t n);
  /// Returns the axis counted from 0. Throws if x does not have it or has another size there.
  int64_t checked_axis(const at::Tensor& x, int64_t axis, int64_t outer, int64_t inner) const;
  static SparseAxis sparse_axis(const MappedAxis& mapped, c10::Device device);
  /// For a sparse map, the begin of each row's entries: int64 [m + 1].
  at::Tensor begins(c10::Device device) const;
  /// Whether the map is sparse and x is where sample_sparse can map it.
  bool is_sparse_on(const at::Tensor& x) const;
  at::Tensor apply_taps(const at::Tensor& x, int64_t axis) const;
  at::Tensor apply_dense(const at::Tensor& x, int64_t axis) const;

  Kind kind_;
  int64_t rows_, cols_;
  at::Tensor index_;   // selection: [m]; taps: [m, k]
  at::Tensor weight_;  // taps: [m, k]; dense: [m, n]
  at::Tensor begin_;   // of a prepared sparse map: int64 [m + 1], the begin of each row's entries
};

/// A map and the axis it acts on: the whole of it, or the middle factor of a product [outer·n·inner].
struct MappedAxis {
  int64_t axis;
  AxisMap map;
  int64_t outer = 1;
  int64_t inner = 1;
};

/// Returns x with two different axes mapped: first.map.apply(second.map.apply(x, …), …) up to rounding. Where
/// both maps are sparse and x is on the CPU this is one pass over memory without an intermediate result.
/// Throws as AxisMap::apply does.
at::Tensor apply_both(const at::Tensor& x, const MappedAxis& first, const MappedAxis& second);

}  // namespace inn
