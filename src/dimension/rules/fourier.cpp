// Fourier transforms, and complex numbers as pairs of real ones.

#include <algorithm>

#include "rules/rules.h"

namespace inn::rules {
namespace {

/// The axes `dim` become frequencies; the transform is linear in the others.
void transform(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  std::vector<int64_t> along;
  if (context.has("dim")) {
    for (const auto axis : context.integers("dim")) along.push_back(context.normalize(axis, self.size()));
  } else {
    const size_t count = context.has("s") ? context.list_size("s") : self.size();
    for (size_t d = self.size() - count; d < self.size(); ++d) along.push_back(static_cast<int64_t>(d));
  }
  TensorAxes result = self;
  for (const auto axis : along) {
    context.pin(self[axis], context.site() + " treats its positions differently");
    const int64_t size = context.result_sizes().at(axis);
    if (size != self[axis].size) result[axis] = context.positions(size);
  }
  context.set_result(result);
  for (int64_t d = 0; d < static_cast<int64_t>(self.size()); ++d)
    if (std::find(along.begin(), along.end(), d) == along.end()) context.propagate_scale("self", d, d);
}

/// […, 2] of real numbers becomes […] of complex ones.
void join_pairs(RuleContext& context) {
  TensorAxes axes = context.axes("self");
  context.pin(axes.back(), context.site() + " combines its two entries into a complex number");
  axes.pop_back();
  context.set_result(axes);
  for (int64_t d = 0; d < static_cast<int64_t>(axes.size()); ++d) context.propagate_scale("self", d, d);
}

void part_pairs(RuleContext& context) {
  TensorAxes axes = context.axes("self");
  axes.push_back(AxisStructure::of_constant(2));
  context.set_result(axes);
  for (int64_t d = 0; d + 1 < static_cast<int64_t>(axes.size()); ++d) context.propagate_scale("self", d, d);
}

}  // namespace

void add_fourier(RuleTable& table) {
  table.add({"aten::fft_fft", "aten::fft_ifft", "aten::fft_rfft", "aten::fft_irfft", "aten::fft_hfft",
             "aten::fft_ihfft", "aten::fft_fft2", "aten::fft_ifft2", "aten::fft_rfft2", "aten::fft_irfft2",
             "aten::fft_fftn", "aten::fft_ifftn", "aten::fft_rfftn", "aten::fft_irfftn"},
            "result = self except for `dim`, which becomes frequencies", transform);
  table.add({"aten::fft_fftshift", "aten::fft_ifftshift"}, "result = self; `dim` is positional", transform);
  table.add({"aten::view_as_complex"}, "result […] of self […, 2]", join_pairs);
  table.add({"aten::view_as_real"}, "result […, 2] of self […]", part_pairs);
  table.add({"aten::real", "aten::imag", "aten::_conj", "aten::conj_physical"}, "result = self", same_axes);
  table.add({"aten::angle"}, "result = f(self) elementwise, for complex numbers", broadcast);
  table.add({"aten::complex", "aten::polar"}, "result of two real tensors, axes equal under broadcasting",
            broadcast);
}

}  // namespace inn::rules
