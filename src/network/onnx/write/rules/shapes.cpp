// Views, permutations, slices, joins, paddings.

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "../rules.h"

namespace inn::onnx {
namespace {

constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

/// Sizes of a view; a single one that is not known is whatever is left.
std::vector<Name> reshaped(Emitter& e, const CallView& call, const std::string& sizes) {
  const auto list = call.list(sizes);
  std::vector<int64_t> numbers;
  int64_t unknown = 0;
  for (const auto& size : list) {
    const auto number = e.known_size(size);
    unknown += !number || *number == -1;
    numbers.push_back(number.value_or(-1));
  }
  const bool has_zero = std::find(numbers.begin(), numbers.end(), 0) != numbers.end();
  const Name shape = unknown <= 1 ? e.integers(numbers) : e.sizes(list);
  std::vector<Attribute> attributes;
  if (has_zero) attributes.push_back({"allowzero", int64_t{1}});
  return {e.add("Reshape", {call.tensor("self"), shape}, std::move(attributes))};
}

/// Joins the axes from one to another; axes before them are kept by ONNX's 0, those after by their sizes.
std::vector<Name> flattened(Emitter& e, const CallView& call) {
  const int64_t rank = call.rank("self");
  if (rank == 0) return {e.add("Reshape", {call.tensor("self"), e.integers({1})})};
  const int64_t first = call.axis("start_dim", "self"), last = call.axis("end_dim", "self");
  if (first == last) return {call.tensor("self")};
  if (first == 1 && last == rank - 1)
    return {e.add("Flatten", {call.tensor("self")}, {{"axis", int64_t{1}}})};
  std::vector<int64_t> shape(static_cast<size_t>(first), 0);
  shape.push_back(-1);
  const auto& value = call.value("self");
  for (int64_t axis = last + 1; axis < rank; ++axis) {
    const auto place = static_cast<size_t>(axis);
    if (call.is_dynamic(axis, "self")) call.refuse("a dynamic size behind the joined axes");
    shape.push_back(value.sizes[place]);
  }
  return {e.add("Reshape", {call.tensor("self"), e.integers(shape)})};
}

/// One axis into several: those before it stay by ONNX's 0.
std::vector<Name> unflattened(Emitter& e, const CallView& call) {
  const int64_t axis = call.axis("dim", "self"), rank = call.rank("self");
  const auto& value = call.value("self");
  std::vector<int64_t> shape(static_cast<size_t>(axis), 0);
  const auto parts = call.integers("sizes");
  shape.insert(shape.end(), parts.begin(), parts.end());
  for (int64_t after = axis + 1; after < rank; ++after) {
    const auto place = static_cast<size_t>(after);
    if (call.is_dynamic(after, "self")) call.refuse("a dynamic size behind its axis");
    shape.push_back(value.sizes[place]);
  }
  return {e.add("Reshape", {call.tensor("self"), e.integers(shape)})};
}

/// By an interpolation to a given size, or by factors.
std::vector<Name> resized(Emitter& e, const CallView& call, const std::string& mode) {
  const std::string input = call.has("self") ? "self" : "input";
  const Name x = call.tensor(input);
  const auto rank = static_cast<size_t>(call.rank(input));
  const bool aligned = call.has("align_corners") && call.flag("align_corners");
  const bool is_exact = call.call().op == "aten::_upsample_nearest_exact2d";
  const std::string coordinates = mode == "nearest" && !is_exact ? "asymmetric"
                                  : aligned                      ? "align_corners"
                                                                 : "half_pixel";
  std::vector<Attribute> attributes{{"mode", mode}, {"coordinate_transformation_mode", coordinates}};
  // torch's exact one rounds halves up: ⌊(i + 0.5)·scale⌋.
  if (mode == "nearest")
    attributes.push_back({"nearest_mode", std::string(is_exact ? "round_prefer_ceil" : "floor")});
  if (mode == "cubic") attributes.push_back({"cubic_coeff_a", -0.75});
  if (!call.has("output_size")) {
    std::vector<double> factors{1, 1};
    if (!call.has("scale_factors")) call.refuse("a computed size");
    const auto& given = call.argument("scale_factors");
    if (!given.is_constant() || !given.constant().isDoubleList()) call.refuse("a computed size");
    for (const double factor : given.constant().toDoubleVector()) factors.push_back(factor);
    return {e.add("Resize", {x, "", e.constant(at::tensor(factors, at::kFloat))}, std::move(attributes))};
  }
  std::vector<Argument> sizes = call.list("output_size");
  const Name kept =
      e.add("Shape", {x}, {{"start", int64_t{0}}, {"end", static_cast<int64_t>(rank - sizes.size())}});
  const Name size = e.add("Concat", {kept, e.sizes(sizes)}, {{"axis", int64_t{0}}});
  return {e.add("Resize", {x, "", "", size}, std::move(attributes))};
}

std::vector<Name> permuted(Emitter& e, const CallView& call) {
  return {e.add("Transpose", {call.tensor("self")}, {{"perm", call.axes("dims", "self")}})};
}

Name exchanged(Emitter& e, const Name& x, int64_t rank, int64_t a, int64_t b) {
  std::vector<int64_t> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::swap(order[static_cast<size_t>(a)], order[static_cast<size_t>(b)]);
  return e.add("Transpose", {x}, {{"perm", order}});
}

Name sliced(Emitter& e, const Name& x, const Name& begin, const Name& end, int64_t axis, int64_t step = 1) {
  return e.add("Slice", {x, begin, end, e.integers({axis}), step == 1 ? Name() : e.integers({step})});
}

std::vector<Name> slice(Emitter& e, const CallView& call) {
  const auto bound = [&](const std::string& name, int64_t missing) {
    return call.has(name) ? e.size(call.argument(name)) : e.integers({missing});
  };
  const int64_t step = call.integer("step");
  const bool is_whole = (!call.has("start") || e.known_size(call.argument("start")) == 0) &&
                        (!call.has("end") || e.known_size(call.argument("end")) == kEnd) && step == 1;
  if (is_whole) return {call.tensor("self")};
  return {
      sliced(e, call.tensor("self"), bound("start", 0), bound("end", kEnd), call.axis("dim", "self"), step)};
}

/// A tensor with one part replaced: what is before it, the part, what is behind it.
std::vector<Name> slice_scattered(Emitter& e, const CallView& call) {
  const int64_t axis = call.axis("dim", "self");
  const auto size = call.value("self").sizes.at(static_cast<size_t>(axis));
  if (call.is_dynamic(axis, "self") || call.integer("step") != 1) call.refuse("a dynamic size, or a step");
  const auto bound = [&](const std::string& name, int64_t missing) {
    const auto given = call.has(name) ? call.integer(name) : missing;
    return std::clamp<int64_t>(given < 0 ? given + size : given, 0, size);
  };
  const int64_t begin = bound("start", 0), end = std::max(begin, bound("end", size));
  std::vector<Name> parts;
  if (begin > 0) parts.push_back(sliced(e, call.tensor("self"), e.integers({0}), e.integers({begin}), axis));
  if (end > begin) parts.push_back(call.tensor("src"));
  if (end < size)
    parts.push_back(sliced(e, call.tensor("self"), e.integers({end}), e.integers({size}), axis));
  return {parts.size() == 1 ? parts[0] : e.add("Concat", parts, {{"axis", axis}})};
}

std::vector<Name> selected(Emitter& e, const CallView& call) {
  const Name index = e.scalar(call.integer("index"), at::kLong);
  return {e.add("Gather", {call.tensor("self"), index}, {{"axis", call.axis("dim", "self")}})};
}

/// Into the parts that the results have.
std::vector<Name> split(Emitter& e, const CallView& call) {
  const int64_t axis = call.axis("dim", "self");
  const auto& values = call.call().results.at(0).values;
  std::vector<int64_t> sizes;
  for (const auto value : values)
    sizes.push_back(e.network().values[static_cast<size_t>(value)].sizes.at(static_cast<size_t>(axis)));
  if (values.size() == 1) return {call.tensor("self")};
  return e.add_several("Split", {call.tensor("self"), e.integers(sizes)}, {{"axis", axis}}, values.size());
}

std::vector<Name> unbound(Emitter& e, const CallView& call) {
  const int64_t axis = call.axis("dim", "self");
  std::vector<Name> parts;
  for (size_t k = 0; k < call.call().results.at(0).values.size(); ++k)
    parts.push_back(e.add("Gather", {call.tensor("self"), e.scalar(static_cast<int64_t>(k), at::kLong)},
                          {{"axis", axis}}));
  return parts;
}

std::vector<Name> joined(Emitter& e, const CallView& call) {
  const auto tensors = call.tensors("tensors");
  int64_t axis = call.integer("dim");
  if (axis < 0) axis += static_cast<int64_t>(call.result().sizes.size());
  return {e.add("Concat", tensors, {{"axis", axis}})};
}

std::vector<Name> stacked(Emitter& e, const CallView& call) {
  int64_t axis = call.integer("dim");
  if (axis < 0) axis += static_cast<int64_t>(call.result().sizes.size());
  std::vector<Name> parts;
  for (const auto& tensor : call.tensors("tensors"))
    parts.push_back(e.add("Unsqueeze", {tensor, e.integers({axis})}));
  return {e.add("Concat", parts, {{"axis", axis}})};
}

/// torch counts from the last axis: its begin, its end, those of the axis before, …
std::vector<Name> padded(Emitter& e, const CallView& call, const std::string& mode, const Name& value) {
  const auto pad = call.integers(call.has("pad") ? "pad" : "padding");
  const auto rank = static_cast<size_t>(call.rank("self"));
  std::vector<int64_t> pads(2 * rank, 0);
  for (size_t k = 0; k + 1 < pad.size(); k += 2) {
    pads[rank - 1 - k / 2] = pad[k];
    pads[2 * rank - 1 - k / 2] = pad[k + 1];
  }
  return {e.add("Pad", {call.tensor("self"), e.integers(pads), value}, {{"mode", mode}})};
}

std::vector<Name> constant_padded(Emitter& e, const CallView& call) {
  const auto type = call.result().dtype;
  return padded(e, call, "constant", call.has("value") ? e.scalar(call.scalar("value"), type) : Name());
}

std::vector<Name> padded_by_mode(Emitter& e, const CallView& call) {
  const auto mode = call.text("mode");
  if (mode == "constant") return constant_padded(e, call);
  if (mode == "reflect") return padded(e, call, "reflect", "");
  if (mode == "replicate") return padded(e, call, "edge", "");
  if (mode == "circular" && e.opset() >= 19) return padded(e, call, "wrap", "");
  call.refuse("its mode");
}

/// The last numbers of each axis come before the first.
std::vector<Name> rolled(Emitter& e, const CallView& call) {
  Name x = call.tensor("self");
  const auto shifts = call.integers("shifts"), axes = call.axes("dims", "self");
  if (axes.empty()) call.refuse("all axes as one");
  for (size_t k = 0; k < axes.size(); ++k) {
    if (shifts[k] == 0) continue;
    const Name last = sliced(e, x, e.integers({-shifts[k]}), e.integers({kEnd}), axes[k]);
    const Name first = sliced(e, x, e.integers({0}), e.integers({-shifts[k]}), axes[k]);
    x = e.add("Concat", {last, first}, {{"axis", axes[k]}});
  }
  return {x};
}

std::vector<Name> expanded(Emitter& e, const CallView& call) {
  // −1 keeps a size, as 1 does in ONNX.
  std::vector<Argument> sizes = call.list("size");
  for (auto& size : sizes)
    if (e.known_size(size) == -1) size = Argument(c10::IValue(int64_t{1}));
  return {e.add("Expand", {call.tensor("self"), e.sizes(sizes)})};
}

std::vector<Name> repeated(Emitter& e, const CallView& call) {
  const auto repeats = call.list("repeats");
  std::vector<int64_t> added(repeats.size() - static_cast<size_t>(call.rank("self")));
  std::iota(added.begin(), added.end(), int64_t{0});
  const Name x = call.tensor("self");
  return {e.add("Tile", {added.empty() ? x : e.add("Unsqueeze", {x, e.integers(added)}), e.sizes(repeats)})};
}

/// Each position so many times, by an index.
std::vector<Name> interleaved(Emitter& e, const CallView& call) {
  if (!call.has("dim")) call.refuse("all axes as one");
  const int64_t axis = call.axis("dim", "self");
  if (call.is_dynamic(axis, "self")) call.refuse("an axis of a dynamic size");
  const int64_t size = call.value("self").sizes.at(static_cast<size_t>(axis));
  const Name index = e.constant(at::arange(size, at::kLong).repeat_interleave(call.integer("repeats")));
  return {e.add("Gather", {call.tensor("self"), index}, {{"axis", axis}})};
}

std::vector<Name> squeezed(Emitter& e, const CallView& call) {
  const auto& value = call.value("self");
  std::vector<int64_t> axes;
  for (const auto axis : call.axes("dim", "self"))
    if (value.sizes.at(static_cast<size_t>(axis)) == 1) axes.push_back(axis);
  return {axes.empty() ? call.tensor("self") : e.add("Squeeze", {call.tensor("self"), e.integers(axes)})};
}

/// Channels to places, as ONNX's DepthToSpace in torch's order.
std::vector<Name> pixel_shuffled(Emitter& e, const CallView& call) {
  return {e.add("DepthToSpace", {call.tensor("self")},
                {{"blocksize", call.integer("upscale_factor")}, {"mode", std::string("CRD")}})};
}

/// Places to channels: torch's order is not that of ONNX's SpaceToDepth, but channel, row, column.
std::vector<Name> pixel_unshuffled(Emitter& e, const CallView& call) {
  const int64_t factor = call.integer("downscale_factor");
  const auto& value = call.value("self");
  if (value.sizes.size() != 4 || call.is_dynamic(2, "self") || call.is_dynamic(3, "self"))
    call.refuse("dynamic sizes of the image");
  const int64_t c = value.sizes[1], h = value.sizes[2] / factor, w = value.sizes[3] / factor;
  const Name split = e.add("Reshape", {call.tensor("self"), e.integers({-1, c, h, factor, w, factor})});
  const Name ordered = e.add("Transpose", {split}, {{"perm", std::vector<int64_t>{0, 1, 3, 5, 2, 4}}});
  return {e.add("Reshape", {ordered, e.integers({-1, c * factor * factor, h, w})})};
}

/// Axes to other places; the rest keeps its order.
std::vector<Name> moved(Emitter& e, const CallView& call) {
  const auto from = call.axes("source", "self"), to = call.axes("destination", "self");
  std::vector<int64_t> order(static_cast<size_t>(call.rank("self")), -1);
  for (size_t k = 0; k < from.size(); ++k) order[static_cast<size_t>(to[k])] = from[k];
  int64_t next = 0;
  for (auto& axis : order) {
    if (axis >= 0) continue;
    while (std::find(from.begin(), from.end(), next) != from.end()) ++next;
    axis = next++;
  }
  return {e.add("Transpose", {call.tensor("self")}, {{"perm", order}})};
}

}  // namespace

void add_shapes(Rules& rules) {
  rules["aten::view"] = rules["aten::_unsafe_view"] = [](Emitter& e, const CallView& call) {
    return reshaped(e, call, "size");
  };
  rules["aten::reshape"] = [](Emitter& e, const CallView& call) { return reshaped(e, call, "shape"); };
  rules["aten::view_as"] =
      rules["aten::reshape_as"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add("Reshape", {call.tensor("self"), e.add("Shape", {call.tensor("other")})})};
  };
  rules["aten::flatten"] = flattened;
  rules["aten::unflatten"] = unflattened;
  for (const auto& [name, mode] :
       std::initializer_list<std::pair<const char*, const char*>>{{"upsample_nearest1d", "nearest"},
                                                                  {"_upsample_nearest_exact2d", "nearest"},
                                                                  {"upsample_nearest2d", "nearest"},
                                                                  {"upsample_bilinear2d", "linear"},
                                                                  {"upsample_linear1d", "linear"},
                                                                  {"upsample_bicubic2d", "cubic"}})
    rules[std::string("aten::") + name] = [mode = std::string(mode)](Emitter& e, const CallView& call) {
      return resized(e, call, mode);
    };
  rules["aten::permute"] = permuted;
  rules["aten::transpose"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {exchanged(e, call.tensor("self"), call.rank("self"), call.axis("dim0", "self"),
                      call.axis("dim1", "self"))};
  };
  rules["aten::swapaxes"] =
      rules["aten::swapdims"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    const bool axes = call.has("axis0");
    return {exchanged(e, call.tensor("self"), call.rank("self"), call.axis(axes ? "axis0" : "dim0", "self"),
                      call.axis(axes ? "axis1" : "dim1", "self"))};
  };
  rules["aten::movedim"] = rules["aten::moveaxis"] = moved;
  rules["aten::t"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    if (call.rank("self") < 2) return {call.tensor("self")};
    return {exchanged(e, call.tensor("self"), 2, 0, 1)};
  };
  rules["aten::slice"] = rules["aten::slice_copy"] = slice;
  rules["aten::slice_scatter"] = slice_scattered;
  rules["aten::select"] = selected;
  rules["aten::chunk"] = rules["aten::split"] = rules["aten::split_with_sizes"] = split;
  rules["aten::unbind"] = unbound;
  rules["aten::cat"] = joined;
  rules["aten::stack"] = stacked;
  rules["aten::constant_pad_nd"] = constant_padded;
  rules["aten::pad"] = padded_by_mode;
  rules["aten::roll"] = rolled;
  rules["aten::expand"] = rules["aten::expand_copy"] = expanded;
  rules["aten::expand_as"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add("Expand", {call.tensor("self"), e.add("Shape", {call.tensor("other")})})};
  };
  rules["aten::repeat"] = repeated;
  rules["aten::repeat_interleave.self_int"] = interleaved;
  rules["aten::unsqueeze"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    const int64_t axis = call.integer("dim"), rank = call.rank("self") + 1;
    return {e.add("Unsqueeze", {call.tensor("self"), e.integers({axis < 0 ? axis + rank : axis})})};
  };
  rules["aten::squeeze.dim"] = rules["aten::squeeze.dims"] = squeezed;
  rules["aten::pixel_shuffle"] = pixel_shuffled;
  rules["aten::pixel_unshuffle"] = pixel_unshuffled;
  for (const auto& [name, op] :
       std::initializer_list<std::pair<const char*, const char*>>{{"aten::add.int", "Add"},
                                                                  {"aten::sub.int", "Sub"},
                                                                  {"aten::mul.int", "Mul"},
                                                                  {"aten::floordiv.int", "Div"},
                                                                  {"aten::remainder.int", "Mod"},
                                                                  {"prim::max.int", "Max"},
                                                                  {"prim::min.int", "Min"}})
    rules[name] = [op = std::string(op)](Emitter& e, const CallView& call) -> std::vector<Name> {
      return {e.add(op, {e.size(call.argument("a")), e.size(call.argument("b"))})};
    };
  rules["aten::pow.int_to_int"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add("Pow", {e.size(call.argument("a")), e.size(call.argument("b"))})};
  };
  rules["aten::sym_size"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.size_of(call.tensor("self"), call.axis("dim", "self"))};
  };
}

}  // namespace inn::onnx
