#pragma once
// Mixed precision.

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace inn {

/// RAII: if `on`, enables torch's autocast to bfloat16 for the device: matrix products and convolutions use
/// bfloat16, other operators, weights and gradients float32.
class BFloat16Guard {
 public:
  BFloat16Guard(c10::Device device, bool on);
  ~BFloat16Guard();
  BFloat16Guard(const BFloat16Guard&) = delete;
  BFloat16Guard& operator=(const BFloat16Guard&) = delete;

 private:
  c10::DeviceType device_;
  bool on_, was_enabled_ = false;
  c10::ScalarType was_dtype_ = c10::kBFloat16;
};

}  // namespace inn
