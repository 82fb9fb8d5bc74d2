#pragma once
// Attention in operators that can be differentiated forward.

#include <ATen/Context.h>

namespace inn {

/// While it lives, torch computes attention by products and a softmax: its fused kernels have no forward
/// derivative. As it was afterwards. The setting is the process's, as torch has no other.
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
