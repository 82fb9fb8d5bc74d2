#pragma once
// The tensors that an integral model has sampled, and how it is known that they are still right.

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "inn/model/integral_model.h"

namespace inn {

/// The numbers of a tensor, as far as torch tells one state of them from another: which memory, seen how, and
/// how often it was written to.
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

/// The points that a group is sampled at. Those of its family are known by their number.
class PointsState {
 public:
  explicit PointsState(const IntegralGroup& group);
  bool operator==(const PointsState& other) const;

 private:
  int64_t width_;
  at::Tensor points_;  // undefined for those of the family
};

/// All that sampled tensors are a function of.
struct SampledState {
  std::vector<TensorState> tensors;
  std::vector<PointsState> points;

  bool operator==(const SampledState&) const = default;
};

struct IntegralModelImpl::Sampled {
  SampledState of;
  std::vector<at::Tensor> tensors;
};

/// Returns the state of the model now; nothing where torch does not count the writes to one of its tensors
/// (an inference tensor).
std::optional<SampledState> sampled_state(const Network& network, const std::vector<IntegralGroup>& groups);

}  // namespace inn
