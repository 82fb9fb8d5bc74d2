#include "sampled.h"

#include <ATen/ATen.h>

namespace inn {

TensorState::TensorState(const at::Tensor& tensor)
    : storage_(tensor.storage().getWeakStorageImpl()),
      data_(tensor.const_data_ptr()),
      sizes_(tensor.sizes().vec()),
      strides_(tensor.strides().vec()),
      dtype_(tensor.scalar_type()),
      device_(tensor.device()),
      version_(tensor._version()) {}

bool TensorState::operator==(const TensorState& other) const {
  return storage_ == other.storage_ && data_ == other.data_ && version_ == other.version_ &&
         dtype_ == other.dtype_ && device_ == other.device_ && sizes_ == other.sizes_ &&
         strides_ == other.strides_;
}

PointsState::PointsState(const IntegralGroup& group) : width_(group.width()) {
  if (!group.has_grid_of_family()) points_ = group.grid().points().detach();
}

bool PointsState::operator==(const PointsState& other) const {
  if (width_ != other.width_ || points_.defined() != other.points_.defined()) return false;
  return !points_.defined() || at::equal(points_, other.points_);
}

std::optional<SampledState> sampled_state(const Network& network, const std::vector<IntegralGroup>& groups) {
  SampledState state;
  for (const auto& entry : network.state) {
    if (entry.tensor.is_inference()) return std::nullopt;
    state.tensors.emplace_back(entry.tensor);
  }
  for (const auto& group : groups) state.points.emplace_back(group);
  return state;
}

}  // namespace inn
