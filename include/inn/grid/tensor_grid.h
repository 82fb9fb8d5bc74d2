#pragma once
// Grids in d dimensions: products of grids on [0,1].

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "inn/grid/grid.h"

namespace inn {

/// The product of d grids: a grid on [0,1]^d, stored as one grid per axis.
class TensorGrid {
 public:
  /// The grids are shared. Throws std::invalid_argument if there is none, or a null grid.
  explicit TensorGrid(std::vector<std::shared_ptr<Grid>> axes);

  int64_t dimensions() const { return static_cast<int64_t>(axes_.size()); }
  const Grid& axis(int64_t k) const { return *axes_.at(static_cast<size_t>(k)); }
  /// The number of points per axis.
  std::vector<int64_t> sizes() const;
  /// Returns the points of each axis, differentiable in its grid's parameters.
  std::vector<at::Tensor> axis_points() const;
  /// Returns all points: [Π sizes, d] float64, the last axis varying fastest. Differentiable.
  at::Tensor points() const;
  std::vector<at::Tensor> parameters() const;
  /// Redraws every axis, in order.
  void draw();

 private:
  std::vector<std::shared_ptr<Grid>> axes_;
};

/// Returns all combinations of the axes' coordinates: [Π sizes, d], the last axis varying fastest.
/// Differentiable in them.
at::Tensor tensor_product(const std::vector<at::Tensor>& axes);

}  // namespace inn
