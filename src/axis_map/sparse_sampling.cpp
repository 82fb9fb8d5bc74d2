#include "sparse_sampling.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/DeviceGuard.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <type_traits>

#include "sampling_kernel.h"

namespace inn {
namespace {

using sampling_kernel::Layout;
using sampling_kernel::SparseRows;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Axes in the order in which memory holds them, outermost first; as they are counted where memory has gaps.
std::vector<int64_t> memory_order(const at::Tensor& x) {
  std::vector<int64_t> order(static_cast<size_t>(x.dim()));
  std::iota(order.begin(), order.end(), 0);
  if (x.is_contiguous() || !x.is_non_overlapping_and_dense()) return order;
  // An axis of size 1 may have any stride: it goes to the end.
  const auto step = [&](int64_t axis) { return x.size(axis) == 1 ? int64_t{-1} : x.stride(axis); };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return step(a) > step(b); });
  return order;
}

/// An uninitialized tensor whose memory holds its axes in that order.
at::Tensor empty_in_order(const std::vector<int64_t>& sizes, const std::vector<int64_t>& order,
                          const at::TensorOptions& options) {
  std::vector<int64_t> strides(sizes.size());
  int64_t step = 1;
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    strides[static_cast<size_t>(*axis)] = step;
    step *= sizes[static_cast<size_t>(*axis)];
  }
  return at::empty_strided(sizes, strides, options);
}

/// The transpose whose rows are these, `places` telling where its entries lie in the map.
SparseAxis transpose_of(const SparseAxis& map, const at::Tensor& begin, const at::Tensor& column,
                        const at::Tensor& places) {
  return {.axis = map.axis,
          .outer = map.outer,
          .inner = map.inner,
          .rows = map.cols,
          .cols = map.rows,
          .begin = begin,
          .column = column,
          .value = map.value.defined() ? map.value.index_select(0, places) : at::Tensor()};
}

/// Memory as the kernel sees it: [before, n, between, n', behind]; the axis that lies further out comes
/// first.
struct View {
  Layout layout{1, 1, 1};
  bool swapped = false;  // axes[1] lies further out than axes[0]
};

View view_of(const std::vector<int64_t>& sizes, const std::vector<int64_t>& order,
             const std::vector<SparseAxis>& axes) {
  View view;
  int64_t seen = 0;
  int64_t* length = &view.layout.before;
  for (const int64_t axis : order) {
    const auto found =
        std::find_if(axes.begin(), axes.end(), [&](const SparseAxis& mapped) { return mapped.axis == axis; });
    if (found == axes.end()) {
      *length *= sizes[static_cast<size_t>(axis)];
      continue;
    }
    if (seen == 0) view.swapped = found != axes.begin();
    *length *= found->outer;
    length = ++seen < static_cast<int64_t>(axes.size()) ? &view.layout.between : &view.layout.behind;
    *length *= found->inner;
  }
  return view;
}

/// As memory of the map's own device.
template <class Real>
SparseRows<Real> rows_of(const SparseAxis& map) {
  return {map.rows, map.cols, map.begin.const_data_ptr<int64_t>(), map.column.const_data_ptr<int64_t>(),
          map.value.defined() ? map.value.const_data_ptr<Real>() : nullptr};
}

template <class Function>
void dispatch(at::ScalarType dtype, const Function& function) {
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, dtype, "sample_sparse", [&] {
    function
        .template operator()<scalar_t, std::conditional_t<std::is_same_v<scalar_t, double>, double, float>>();
  });
}

template <class T, class Real>
void apply(const at::Tensor& x, const at::Tensor& y, const Layout& layout, const SparseRows<Real>& first,
           const SparseRows<Real>& second) {
#ifdef INN_HAS_CUDA_KERNELS
  if (x.is_cuda())
    return sampling_kernel::apply_on_cuda(x.const_data_ptr<T>(), y.mutable_data_ptr<T>(), layout, first,
                                          second);
#endif
  sampling_kernel::apply(x.const_data_ptr<T>(), y.mutable_data_ptr<T>(), layout, first, second);
}

/// Rows shorter than this are mapped as the inner axis, all in one row of the kernel.
constexpr int64_t kShortRow = 32;

at::Tensor sampled(const at::Tensor& x, const std::vector<SparseAxis>& axes) {
  const auto order = memory_order(x);
  const at::Tensor source = x.is_non_overlapping_and_dense() ? x : x.contiguous();
  std::vector<int64_t> sizes = x.sizes().vec();
  const View view = view_of(sizes, order, axes);
  for (const auto& map : axes) sizes[static_cast<size_t>(map.axis)] = map.outer * map.rows * map.inner;
  at::Tensor result = empty_in_order(sizes, order, x.options());
  if (result.numel() == 0) return result;
  const c10::DeviceGuard guard(x.device());
  dispatch(x.scalar_type(), [&]<class T, class Real>() {
    const SparseRows<Real> first = rows_of<Real>(axes[view.swapped ? 1 : 0]);
    if (axes.size() == 2)
      return apply<T>(source, result, view.layout, first, rows_of<Real>(axes[view.swapped ? 0 : 1]));
    // One axis: [before, n, behind]. What is behind it is a row of the kernel or, where that is short, a tap.
    constexpr SparseRows<Real> kIdentity{1, 1, nullptr, nullptr, nullptr};
    if (view.layout.behind >= kShortRow || view.layout.before == 1)
      return apply<T>(source, result, view.layout, first, kIdentity);
    apply<T>(source, result, view.layout, kIdentity, first);
  });
  return result;
}

/// The row of each entry.
at::Tensor rows_of_entries(const SparseAxis& map) {
  return at::repeat_interleave(map.begin.diff(), std::optional<int64_t>(map.column.size(0)));
}

/// The gradient of the values of a map of one axis: back is the gradient of the mapped x.
at::Tensor value_gradient(const at::Tensor& x, const at::Tensor& back, const SparseAxis& map) {
  std::vector<int64_t> order(static_cast<size_t>(x.dim()));
  std::iota(order.begin(), order.end(), 0);
  const Layout layout = view_of(x.sizes().vec(), order, {map}).layout;
  const at::Tensor source = x.contiguous(), gradients = back.to(x.scalar_type()).contiguous();
  at::Tensor result = at::empty_like(map.value);
  const c10::DeviceGuard guard(x.device());
  dispatch(x.scalar_type(), [&]<class T, class Real>() {
    const T *from = source.const_data_ptr<T>(), *of = gradients.const_data_ptr<T>();
    Real* to = result.mutable_data_ptr<Real>();
    const int64_t behind = layout.between * layout.behind;
#ifdef INN_HAS_CUDA_KERNELS
    if (x.is_cuda())
      return sampling_kernel::value_gradient_on_cuda(from, of, to, map.column.size(0), layout.before, behind,
                                                     rows_of<Real>(map));
#endif
    sampling_kernel::value_gradient(from, of, to, layout.before, behind, rows_of<Real>(map));
  });
  return result;
}

/// The same by torch's operators, for gradients of gradients.
at::Tensor differentiable_value_gradient(const at::Tensor& x, const at::Tensor& back, const SparseAxis& map) {
  const at::Tensor rows = rows_of_entries(map);
  const auto entries = [&](const at::Tensor& tensor, const at::Tensor& index) {
    const int64_t n = tensor.size(map.axis) / (map.outer * map.inner);
    return tensor.unflatten(map.axis, {map.outer, n, map.inner}).index_select(map.axis + 1, index);
  };
  const at::Tensor products = entries(x, map.column) * entries(back, rows);
  return products.movedim(map.axis + 1, 0).flatten(1).sum(1).to(map.value.scalar_type());
}

class SampleSparse : public torch::autograd::Function<SampleSparse> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const std::optional<at::Tensor>& first,
                            const std::optional<at::Tensor>& second, const std::vector<SparseAxis>& axes) {
    // x is what only the gradients of the values need.
    const auto learns = [](const std::optional<at::Tensor>& value) {
      return value && value->requires_grad();
    };
    ctx->save_for_backward({learns(first) || learns(second) ? x : at::Tensor(), first.value_or(at::Tensor()),
                            second.value_or(at::Tensor())});
    for (size_t a = 0; a < axes.size(); ++a) {
      const auto& map = axes[a];
      const std::string key = std::to_string(a);
      ctx->saved_data["axis" + key] =
          std::vector<int64_t>{map.axis, map.outer, map.inner, map.rows, map.cols};
      ctx->saved_data["begin" + key] = map.begin;
      ctx->saved_data["column" + key] = map.column;
    }
    return sampled(x, axes);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor& x = saved[0];
    std::vector<SparseAxis> axes, back;
    for (size_t a = 0; a < 2; ++a) {
      const std::string key = std::to_string(a);
      const auto found = ctx->saved_data.find("axis" + key);
      if (found == ctx->saved_data.end()) break;
      const auto sizes = found->second.toIntVector();
      axes.push_back({sizes[0], sizes[1], sizes[2], sizes[3], sizes[4],
                      ctx->saved_data["begin" + key].toTensor(), ctx->saved_data["column" + key].toTensor(),
                      saved[a + 1]});
      back.push_back(transposed(axes.back()));
    }
    variable_list result(4);
    if (ctx->needs_input_grad(0)) result[0] = sample_sparse(gradients[0], back);
    size_t edge = 1;  // of the values that are there
    for (size_t a = 0; a < axes.size(); ++a) {
      if (!axes[a].value.defined() || !ctx->needs_input_grad(edge++)) continue;
      const at::Tensor reached = axes.size() == 1 ? gradients[0] : sample_sparse(gradients[0], {back[1 - a]});
      result[a + 1] = at::GradMode::is_enabled() ? differentiable_value_gradient(x, reached, axes[a])
                                                 : value_gradient(x, reached, axes[a]);
    }
    return result;
  }
};

}  // namespace

bool can_sample_on(c10::DeviceType device) {
#ifdef INN_HAS_CUDA_KERNELS
  if (device == c10::kCUDA) return true;
#endif
  return device == c10::kCPU;
}

SparseAxis transposed(const SparseAxis& map) {
  if (!map.column.is_cpu()) return transposed_by_sorting(map);
  const int64_t entries = map.column.size(0);
  at::Tensor begin = at::zeros({map.cols + 1}, at::kLong), column = at::empty({entries}, at::kLong),
             places = at::empty({entries}, at::kLong);
  const auto* first = map.begin.const_data_ptr<int64_t>();
  const auto* named = map.column.const_data_ptr<int64_t>();
  auto* next = begin.mutable_data_ptr<int64_t>();
  for (int64_t e = 0; e < entries; ++e) ++next[named[e] + 1];
  for (int64_t c = 0; c < map.cols; ++c) next[c + 1] += next[c];
  std::vector<int64_t> free(next, next + map.cols);
  auto* rows = column.mutable_data_ptr<int64_t>();
  auto* place_of = places.mutable_data_ptr<int64_t>();
  for (int64_t j = 0; j < map.rows; ++j) {
    for (int64_t e = first[j]; e < first[j + 1]; ++e) {
      const int64_t place = free[static_cast<size_t>(named[e])]++;
      rows[place] = j;
      place_of[place] = e;
    }
  }
  return transpose_of(map, begin, column, places);
}

SparseAxis transposed_by_sorting(const SparseAxis& map) {
  const auto [sorted, places] = map.column.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false);
  const at::Tensor rows = rows_of_entries(map);
  const at::Tensor begin = at::searchsorted(sorted, at::arange(map.cols + 1, map.column.options()));
  return transpose_of(map, begin, rows.index_select(0, places), places);
}

at::Tensor sample_sparse(const at::Tensor& x, const std::vector<SparseAxis>& axes) {
  // Float16 and bfloat16 have sums, and so weights, in float32.
  const auto dtype = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  std::vector<SparseAxis> cast = axes;
  bool learns = at::GradMode::is_enabled() && x.requires_grad();
  for (auto& map : cast) {
    if (map.value.defined()) map.value = map.value.to(dtype).contiguous();
    learns |= at::GradMode::is_enabled() && map.value.defined() && map.value.requires_grad();
  }
  if (!learns) return sampled(x, cast);
  const auto value = [&](size_t a) {
    return a < cast.size() && cast[a].value.defined() ? std::optional(cast[a].value) : std::nullopt;
  };
  return SampleSparse::apply(x, value(0), value(1), cast);
}

}  // namespace inn
