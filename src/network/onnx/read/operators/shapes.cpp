// Shapes, types, and tensors made of nothing but sizes.

#include "operators.h"

namespace inn::onnx::reading {
namespace {

Tensors constant(NodeView& node) {
  if (const auto* value = node.find("value")) {
    const auto* tensor = std::get_if<at::Tensor>(&value->value);
    node.require_that(tensor != nullptr, "'value' must be a tensor");
    return {*tensor};
  }
  if (node.has_attribute("value_float")) return {at::scalar_tensor(node.real("value_float", 0), at::kFloat)};
  if (node.has_attribute("value_int")) return {at::scalar_tensor(node.attribute("value_int", 0), at::kLong)};
  if (node.has_attribute("value_ints")) return {at::tensor(node.attributes("value_ints"), at::kLong)};
  const auto* reals = node.find("value_floats");
  node.require_that(reals != nullptr && std::holds_alternative<std::vector<double>>(reals->value),
                    "a constant of unsupported type");
  return {at::tensor(std::get<std::vector<double>>(reals->value), at::kFloat)};
}

Tensors shape(NodeView& node) {
  const auto sizes = node.sizes(0);
  const auto rank = static_cast<int64_t>(sizes.size());
  const auto clamped = [&](int64_t place) {
    return std::clamp<int64_t>(place < 0 ? place + rank : place, 0, rank);
  };
  const auto begin = clamped(node.attribute("start", 0)), end = clamped(node.attribute("end", rank));
  return {at::tensor(at::IntArrayRef(sizes).slice(static_cast<size_t>(begin),
                                                  static_cast<size_t>(std::max<int64_t>(0, end - begin))),
                     at::kLong)};
}

Tensors reshape(NodeView& node) {
  const auto x = node.tensor(0);
  auto sizes = node.integers(1);
  if (node.attribute("allowzero", 0) == 0)
    for (size_t i = 0; i < sizes.size(); ++i)
      if (sizes[i] == 0) {
        node.require_that(static_cast<int64_t>(i) < x.dim(), "a size of 0 has no axis to copy");
        sizes[i] = x.size(static_cast<int64_t>(i));
      }
  return {at::reshape(x, sizes)};
}

Tensors flatten(NodeView& node) {
  const auto x = node.tensor(0);
  const auto axis = node.attribute("axis", 1);
  const auto first = axis < 0 ? axis + x.dim() : axis;
  node.require_that(first >= 0 && first <= x.dim(),
                    fmt::format("axis {} of a tensor with {} axes", axis, x.dim()));
  if (first == 0) return {at::reshape(x, {1, -1})};
  if (first == x.dim()) return {at::reshape(x, {-1, 1})};
  const auto rows = first == 1 ? x : at::flatten(x, 0, first - 1);
  return {rows.dim() == 2 ? rows : at::flatten(rows, 1)};
}

Tensors squeeze(NodeView& node) {
  const auto x = node.tensor(0);
  auto axes = axes_of(node, 1);
  if (axes.empty())
    for (int64_t axis = 0; axis < x.dim(); ++axis)
      if (x.size(axis) == 1) axes.push_back(axis);
  for (auto& axis : axes) {
    axis = axis_of(node, axis, x.dim());
    node.require_that(x.size(axis) == 1, fmt::format("axis {} has {} positions, not 1", axis, x.size(axis)));
  }
  return {axes.empty() ? x : at::squeeze(x, axes)};
}

Tensors unsqueeze(NodeView& node) {
  at::Tensor x = node.tensor(0);
  auto axes = axes_of(node, 1);
  const auto rank = x.dim() + static_cast<int64_t>(axes.size());
  for (auto& axis : axes) axis = axis_of(node, axis, rank);
  std::sort(axes.begin(), axes.end());
  for (const auto axis : axes) {
    node.require_that(axis <= x.dim(), "the axes are not distinct");
    x = at::unsqueeze(x, axis);
  }
  return {x};
}

Tensors transpose(NodeView& node) {
  const auto x = node.tensor(0);
  auto order = node.attributes("perm");
  if (order.empty())
    for (int64_t axis = x.dim(); axis-- > 0;) order.push_back(axis);
  return {at::permute(x, order)};
}

Tensors split(NodeView& node) {
  const auto x = node.tensor(0);
  const auto axis = axis_of(node, node.attribute("axis", 0), x.dim());
  auto sizes = node.has(1) ? node.integers(1) : node.attributes("split");
  const auto count = static_cast<int64_t>(node.node().outputs.size());
  if (sizes.empty()) {
    const auto parts = node.attribute("num_outputs", count);
    node.require_that(parts >= 1 && parts == count, "'num_outputs' is not the number of outputs");
    const auto each = (x.size(axis) + parts - 1) / parts;
    sizes.assign(static_cast<size_t>(parts), each);
    sizes.back() = x.size(axis) - each * (parts - 1);
  }
  node.require_that(static_cast<int64_t>(sizes.size()) == count, "the sizes are not those of its outputs");
  return at::split_with_sizes(x, sizes, axis);
}

Tensors expand(NodeView& node) {
  const auto x = node.tensor(0);
  const auto sizes = at::infer_size(x.sizes(), node.integers(1));
  return {x.expand(sizes)};
}

Tensors pad(NodeView& node) {
  const auto x = node.tensor(0);
  const auto given = node.has(1) ? node.integers(1) : node.attributes("pads");
  std::vector<int64_t> axes;
  if (node.has(3))
    axes = node.integers(3);
  else
    for (int64_t axis = 0; axis < x.dim(); ++axis) axes.push_back(axis);
  node.require_that(given.size() == 2 * axes.size(), "the paddings do not fit the input");
  std::vector<int64_t> pads(2 * static_cast<size_t>(x.dim()), 0);  // the last axis first, as torch has them
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto from_last = static_cast<size_t>(x.dim() - 1 - axis_of(node, axes[i], x.dim()));
    pads[2 * from_last] = given[i];
    pads[2 * from_last + 1] = given[i + axes.size()];
  }
  const auto mode = node.text("mode", "constant");
  node.ignore({"value"});
  while (pads.size() > 2 && pads[pads.size() - 1] == 0 && pads[pads.size() - 2] == 0)
    pads.resize(pads.size() - 2);
  if (mode == "constant")
    return {at::constant_pad_nd(x, pads, node.has(2) ? node.number(2) : node.real("value", 0))};
  const std::map<std::string, std::string> modes = {
      {"reflect", "reflect"}, {"edge", "replicate"}, {"wrap", "circular"}};
  const auto found = modes.find(mode);
  node.require_that(found != modes.end(), fmt::format("unknown mode '{}'", mode));
  return {at::pad(x, pads, found->second)};
}

/// [n, c·b², h, w] as [n, c, b·h, b·w]; the block is before the channel (DCR) or after it.
Tensors depth_to_space(NodeView& node) {
  const auto x = node.tensor(0);
  const auto block = node.attribute("blocksize", 0);
  node.require_that(block >= 1 && x.dim() == 4 && x.size(1) % (block * block) == 0,
                    "blocksize does not fit the input");
  if (node.text("mode", "DCR") == "CRD") return {at::pixel_shuffle(x, block)};
  const auto n = x.size(0), c = x.size(1) / (block * block), h = x.size(2), w = x.size(3);
  return {at::reshape(at::permute(at::reshape(x, {n, block, block, c, h, w}), {0, 3, 4, 1, 5, 2}),
                      {n, c, h * block, w * block})};
}

Tensors space_to_depth(NodeView& node) {
  const auto x = node.tensor(0);
  const auto block = node.attribute("blocksize", 0);
  node.require_that(block >= 1 && x.dim() == 4 && x.size(2) % block == 0 && x.size(3) % block == 0,
                    "blocksize does not fit the input");
  if (node.text("mode", "DCR") == "CRD") return {at::pixel_unshuffle(x, block)};
  const auto n = x.size(0), c = x.size(1), h = x.size(2) / block, w = x.size(3) / block;
  return {at::reshape(at::permute(at::reshape(x, {n, c, h, block, w, block}), {0, 3, 5, 1, 2, 4}),
                      {n, c * block * block, h, w})};
}

Tensors constant_of_shape(NodeView& node) {
  at::Tensor value = at::zeros({1}, at::kFloat);
  if (const auto* given = node.find("value")) {
    const auto* tensor = std::get_if<at::Tensor>(&given->value);
    node.require_that(tensor != nullptr && tensor->numel() == 1, "'value' must be one number");
    value = *tensor;
  }
  return {at::full(node.integers(0), node.number_of(value), value.options())};
}

Tensors range(NodeView& node) {
  const auto* first = node.constant(0);
  node.require_that(first != nullptr && node.constant(1) != nullptr && node.constant(2) != nullptr,
                    "its limits depend on data");
  const auto type = first->scalar_type();
  if (!first->is_floating_point())
    return {at::arange(node.integer(0), node.integer(1), node.integer(2), at::TensorOptions(type))};
  return {at::arange(node.number(0), node.number(1), node.number(2), at::TensorOptions(type))};
}

Tensors triangle(NodeView& node) {
  const auto x = node.tensor(0);
  const auto diagonal = node.has(1) ? node.integer(1) : 0;
  return {node.attribute("upper", 1) != 0 ? at::triu(x, diagonal) : at::tril(x, diagonal)};
}

}  // namespace

void add_shapes(Operators& operators) {
  operators["Constant"] = constant;
  operators["Shape"] = shape;
  operators["Size"] = [](NodeView& node) -> Tensors {
    return {at::scalar_tensor(c10::multiply_integers(node.sizes(0)), at::kLong)};
  };
  operators["Identity"] = [](NodeView& node) -> Tensors { return {node.tensor(0)}; };
  operators["Reshape"] = reshape;
  operators["Flatten"] = flatten;
  operators["Squeeze"] = squeeze;
  operators["Unsqueeze"] = unsqueeze;
  operators["Transpose"] = transpose;
  operators["Concat"] = [](NodeView& node) -> Tensors {
    node.require_that(node.input_count() > 0, "it has no input");
    return {at::cat(node.tensors(), axis_of(node, node.attribute("axis", 0), node.rank(0)))};
  };
  operators["Split"] = split;
  operators["Expand"] = expand;
  operators["Tile"] = [](NodeView& node) -> Tensors { return {node.tensor(0).repeat(node.integers(1))}; };
  operators["Pad"] = pad;
  operators["DepthToSpace"] = depth_to_space;
  operators["SpaceToDepth"] = space_to_depth;
  operators["ConstantOfShape"] = constant_of_shape;
  operators["Range"] = range;
  operators["Trilu"] = triangle;
  operators["Cast"] = [](NodeView& node) -> Tensors {
    node.ignore({"saturate", "round_mode"});  // of types of eight bits
    const auto type = scalar_type(node.attribute("to", 0));
    const auto x = node.tensor(0);
    return {x.scalar_type() == type ? x : x.to(type)};
  };
  operators["CastLike"] = [](NodeView& node) -> Tensors {
    node.ignore({"saturate", "round_mode"});
    const auto x = node.tensor(0);
    const auto type = node.tensor(1).scalar_type();
    return {x.scalar_type() == type ? x : x.to(type)};
  };
}

}  // namespace inn::onnx::reading
