#pragma once
// Attention by operators with forward-mode derivatives.

#include <ATen/Context.h>

namespace inn {

/// RAII: torch computes attention by matrix products and a softmax, because its fused kernels have no
/// forward-mode derivative. Restored afterwards. The setting is process-wide.
class PlainAttention {
 public:
  PlainAttention()
      : flash_(at::globalContext().userEnabledFlashSDP()),
        efficient_(at::globalContext().userEnabledMemEfficientSDP()),
        cudnn_(at::globalContext().userEnabledCuDNNSDP()) {
    set(false, false, false);
  }
  ~PlainAttention() { set(flash_, efficient_, cudnn_); }
  PlainAttention(const PlainAttention&) = delete;
  PlainAttention& operator=(const PlainAttention&) = delete;

 private:
  static void set(bool flash, bool efficient, bool cudnn) {
    at::globalContext().setSDPUseFlash(flash);
    at::globalContext().setSDPUseMemEfficient(efficient);
    at::globalContext().setSDPUseCuDNN(cudnn);
  }

  bool flash_, efficient_, cudnn_;
};

}  // namespace inn
