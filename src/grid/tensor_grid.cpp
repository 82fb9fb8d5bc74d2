#include "inn/grid/tensor_grid.h"

#include <ATen/ATen.h>

#include "inn/core/error.h"

namespace inn {

TensorGrid::TensorGrid(std::vector<std::shared_ptr<Grid>> axes) : axes_(std::move(axes)) {
  require(!axes_.empty(), "grid", "TensorGrid: at least one axis is required but got none.");
  for (size_t k = 0; k < axes_.size(); ++k)
    require(axes_[k] != nullptr, "grid", "TensorGrid: axis {} is null.", k);
}

std::vector<int64_t> TensorGrid::sizes() const {
  std::vector<int64_t> sizes;
  for (const auto& axis : axes_) sizes.push_back(axis->size());
  return sizes;
}

std::vector<at::Tensor> TensorGrid::axis_points() const {
  std::vector<at::Tensor> points;
  for (const auto& axis : axes_) points.push_back(axis->points());
  return points;
}

at::Tensor TensorGrid::points() const { return tensor_product(axis_points()); }

std::vector<at::Tensor> TensorGrid::parameters() const {
  std::vector<at::Tensor> all;
  for (const auto& axis : axes_)
    for (auto& parameter : axis->parameters()) all.push_back(parameter);
  return all;
}

void TensorGrid::draw() {
  for (const auto& axis : axes_) axis->draw();
}

at::Tensor tensor_product(const std::vector<at::Tensor>& axes) {
  require(!axes.empty(), "grid", "tensor_product: at least one axis is required but got none.");
  auto mesh = at::meshgrid(axes, "ij");
  for (auto& coordinate : mesh) coordinate = coordinate.flatten();
  return at::stack(mesh, 1);
}

}  // namespace inn
