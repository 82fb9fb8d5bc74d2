// Operators that move channels between axes, or repeat them.

#include <algorithm>

#include "rules/rules.h"

namespace inn::rules {
namespace {

/// […, c·r·r, h, w] to […, c, h·r, w·r], or back.
void shuffle_pixels(RuleContext& context, bool back) {
  const TensorAxes self = context.axes("self");
  const size_t channel = self.size() - 3;
  const int64_t factor = context.integer(back ? "downscale_factor" : "upscale_factor");
  const AxisStructure block = AxisStructure::of_constant(factor * factor);
  TensorAxes result = self;
  if (back) {
    result[channel] = AxisStructure::of_product({self[channel], block});
  } else {
    result[channel] = context.fresh(self[channel].size / (factor * factor));
    context.unify(self[channel], AxisStructure::of_product({result[channel], block}));
  }
  for (size_t d = channel + 1; d < self.size(); ++d) {
    context.pin(self[d], context.site() + " splits it into windows");
    result[d] = context.positions(context.result_sizes()[d]);
  }
  context.set_result(result);
}

/// Channels [g·c] become [c·g].
void shuffle_channels(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  const int64_t groups = context.integer("groups");
  const AxisStructure outer = context.fresh(groups), inner = context.fresh(self.at(1).size / groups);
  context.follow("groups", outer);
  context.unify(self[1], AxisStructure::of_product({outer, inner}));
  TensorAxes result = self;
  result[1] = AxisStructure::of_product({inner, outer});
  context.set_result(result);
}

/// Patches as columns: [n, c, h, w] to [n, c·kh·kw, l].
void columns_of_image(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  const size_t channel = self.size() - 3;
  const auto kernel = context.integers("kernel_size");
  const int64_t taps = context.result_sizes().at(channel) / self[channel].size;
  TensorAxes result(self.begin(), self.begin() + static_cast<int64_t>(channel));
  result.push_back(AxisStructure::of_product({self[channel], AxisStructure::of_constant(taps)}));
  for (size_t d = channel + 1; d < self.size(); ++d)
    context.pin(self[d], context.site() + " slides a window along it");
  result.push_back(context.positions(context.result_sizes().back()));
  context.set_result(result);
}

/// Columns back to an image: [n, c·kh·kw, l] to [n, c, h, w].
void image_of_columns(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  const size_t channel = self.size() - 2;
  const int64_t channels = context.result_sizes().at(channel);
  const AxisStructure width = context.fresh(channels);
  context.unify(self[channel], AxisStructure::of_product(
                                   {width, AxisStructure::of_constant(self[channel].size / channels)}));
  context.pin(self.back(), context.site() + " slides a window along it");
  TensorAxes result(self.begin(), self.begin() + static_cast<int64_t>(channel));
  result.push_back(width);
  for (size_t d = channel + 1; d < context.result_sizes().size(); ++d)
    result.push_back(context.positions(context.result_sizes()[d]));
  context.set_result(result);
}

/// Windows of one axis, in a new last axis.
void unfold(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  const auto along = context.normalize(context.integer("dimension"), self.size());
  context.pin(self[along], context.site() + " slides a window along it");
  TensorAxes result = self;
  result[along] = context.positions(context.result_sizes().at(along));
  result.push_back(context.positions(context.result_sizes().back()));
  context.set_result(result);
}

/// Concatenates the tensor with itself: each axis becomes count·axis.
void repeat(RuleContext& context, const std::string& counts) {
  const TensorAxes self = context.axes("self");
  const auto numbers = context.integers(counts);
  const size_t rank = context.result_sizes().size(), extra = rank - numbers.size();
  TensorAxes result;
  for (size_t d = 0; d < rank; ++d) {
    const bool is_new = d + self.size() < rank;
    const AxisStructure own = is_new ? AxisStructure::of_constant(1) : self[d + self.size() - rank];
    const int64_t count = context.result_sizes()[d] / std::max<int64_t>(1, own.size);
    if (!is_new)
      context.propagate_scale("self", static_cast<int64_t>(d + self.size() - rank), static_cast<int64_t>(d));
    if (count == 1 && (d < extra || numbers[d - extra] == 1)) {
      result.push_back(own);
      continue;
    }
    const AxisStructure times = context.size_argument(counts, count, d - extra);
    result.push_back(AxisStructure::of_product({times, own}));
  }
  context.set_result(result);
}

/// Repeats each position `count` times: axis·count.
void repeat_interleaved(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  const bool flat = !context.has("dim");
  const AxisStructure whole = AxisStructure::of_product(self);
  const auto along = flat ? 0 : context.normalize(context.integer("dim"), self.size());
  const AxisStructure& own = flat ? whole : self[along];
  const AxisStructure times = context.size_argument("repeats", context.result_sizes().at(along) / own.size);
  TensorAxes result = flat ? TensorAxes{own} : self;
  result[along] = AxisStructure::of_product({own, times});
  if (context.has("output_size")) context.follow("output_size", result[along]);
  context.set_result(result);
  if (flat) return;
  for (int64_t d = 0; d < static_cast<int64_t>(self.size()); ++d) context.propagate_scale("self", d, d);
}

}  // namespace

void add_rearrangement(RuleTable& table) {
  table.add({"aten::pixel_shuffle"}, "result […, c, h·r, w·r] of self […, c·r², h, w]; r is a constant",
            [](RuleContext& context) { shuffle_pixels(context, false); });
  table.add({"aten::pixel_unshuffle"}, "result […, c·r², h/r, w/r] of self […, c, h, w]; r is a constant",
            [](RuleContext& context) { shuffle_pixels(context, true); });
  table.add({"aten::channel_shuffle", "aten::native_channel_shuffle"},
            "result [n, c·g, …] of self [n, g·c, …]", shuffle_channels);
  table.add({"aten::im2col"}, "result [n, c·k, l] of self [n, c, h, w]; k is the window size",
            columns_of_image);
  table.add({"aten::col2im"}, "result [n, c, h, w] of self [n, c·k, l]; k is the window size",
            image_of_columns);
  table.add({"aten::unfold"}, "windows along one axis become a new last axis", unfold);
  table.add({"aten::repeat"}, "axis d of the result is count·axis",
            [](RuleContext& context) { repeat(context, "repeats"); });
  table.add({"aten::tile"}, "axis d of the result is count·axis",
            [](RuleContext& context) { repeat(context, "dims"); });
  table.add({"aten::repeat_interleave.self_int"}, "axis dim of the result is axis·count", repeat_interleaved);
}

}  // namespace inn::rules
