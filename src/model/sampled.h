#pragma once
// Cache of sampled tensors of an integral model, and its validation.

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "inn/model/integral_model.h"

namespace inn {

/// The identity of a tensor's values as tracked by torch: memory, view, and version.
class TensorState {
 public:
  explicit TensorState(const at::Tensor& tensor);
  bool operator==(const TensorState& other) const;

 private:
  // Held weakly, so that the memory is released but no other storage gets its address.
  c10::weak_intrusive_ptr<c10::StorageImpl> storage_;
  const void* data_;
  std::vector<int64_t> sizes_, strides_;
  c10::ScalarType dtype_;
  c10::Device device_;
  int64_t version_;
};

/// The sample points of a group; those of its family are identified by their number.
class PointsState {
 public:
  explicit PointsState(const IntegralGroup& group);
  bool operator==(const PointsState& other) const;

 private:
  int64_t width_;
  at::Tensor points_;  // undefined for those of the family
};

/// Everything that determines sampled tensors.
struct SampledState {
  std::vector<TensorState> tensors;
  std::vector<PointsState> points;

  bool operator==(const SampledState&) const = default;
};

struct IntegralModelImpl::Sampled {
  SampledState of;
  std::vector<at::Tensor> tensors;
};

/// Returns the current state of the model; nothing if torch does not track writes to one of its tensors (an
/// inference tensor).
std::optional<SampledState> sampled_state(const Network& network, const std::vector<IntegralGroup>& groups);

}  // namespace inn
