#include "precision.h"

#include <ATen/autocast_mode.h>

namespace inn {

BFloat16Guard::BFloat16Guard(c10::Device device, bool on) : device_(device.type()), on_(on) {
  if (!on_) return;
  was_enabled_ = at::autocast::is_autocast_enabled(device_);
  was_dtype_ = at::autocast::get_autocast_dtype(device_);
  at::autocast::set_autocast_enabled(device_, true);
  at::autocast::set_autocast_dtype(device_, c10::kBFloat16);
  at::autocast::increment_nesting();
}

BFloat16Guard::~BFloat16Guard() {
  if (!on_) return;
  // Weights cast once serve the whole guard; they change before the next.
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, was_enabled_);
  at::autocast::set_autocast_dtype(device_, was_dtype_);
}

}  // namespace inn
