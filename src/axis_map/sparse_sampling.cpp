#include "sparse_sampling.h"

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/DeviceGuard.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <type_traits>

#include "inn/core/error.h"
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
  const auto step = [&](int64_t axis) {
    return x.sym_size(axis) == 1 ? int64_t{-1} : x.sym_stride(axis).guard_int(__FILE__, __LINE__);
  };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return step(a) > step(b); });
  return order;
}

/// An uninitialized tensor whose memory holds its axes in that order.
at::Tensor empty_in_order(const std::vector<c10::SymInt>& sizes, const std::vector<int64_t>& order,
                          const at::TensorOptions& options) {
  std::vector<c10::SymInt> strides(sizes.size());
  c10::SymInt step = 1;
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    strides[static_cast<size_t>(*axis)] = step;
    step *= sizes[static_cast<size_t>(*axis)];
  }
  return at::empty_strided_symint(sizes, strides, options);
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

/// The uninitialized result of sampling x. x may be symbolic.
at::Tensor empty_result(const at::Tensor& x, const std::vector<SparseAxis>& axes) {
  std::vector<c10::SymInt> sizes = x.sym_sizes().vec();
  for (const auto& map : axes) sizes[static_cast<size_t>(map.axis)] = map.outer * map.rows * map.inner;
  return empty_in_order(sizes, memory_order(x), x.options());
}

at::Tensor sampled(const at::Tensor& x, const std::vector<SparseAxis>& axes) {
  const at::Tensor source = x.is_non_overlapping_and_dense() ? x : x.contiguous();
  const View view = view_of(x.sizes().vec(), memory_order(x), axes);
  at::Tensor result = empty_result(x, axes);
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
at::Tensor rows_of_entries(const at::Tensor& begin, const at::Tensor& column) {
  return at::repeat_interleave(begin.diff(), std::optional<int64_t>(column.size(0)));
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
  const at::Tensor rows = rows_of_entries(map.begin, map.column);
  const auto entries = [&](const at::Tensor& tensor, const at::Tensor& index) {
    const int64_t n = tensor.size(map.axis) / (map.outer * map.inner);
    return tensor.unflatten(map.axis, {map.outer, n, map.inner}).index_select(map.axis + 1, index);
  };
  const at::Tensor products = entries(x, map.column) * entries(back, rows);
  return products.movedim(map.axis + 1, 0).flatten(1).sum(1).to(map.value.scalar_type());
}

// ---- operators of the dispatcher, so that others' tools (torch.compile, opcheck) see them

using OptionalTensors = c10::List<std::optional<at::Tensor>>;

constexpr size_t kNumbers = 5;  // of each axis

/// The numbers of axes, one after another, as the operators take them.
std::vector<int64_t> numbers_of(const std::vector<SparseAxis>& axes) {
  std::vector<int64_t> numbers;
  for (const auto& map : axes)
    numbers.insert(numbers.end(), {map.axis, map.outer, map.inner, map.rows, map.cols});
  return numbers;
}

/// Axis number `a` of these.
SparseAxis axis_of(at::IntArrayRef numbers, size_t a, at::Tensor begin, at::Tensor column, at::Tensor value) {
  const auto of = numbers.slice(a * kNumbers, kNumbers);
  return {of[0], of[1], of[2], of[3], of[4], std::move(begin), std::move(column), std::move(value)};
}

std::vector<SparseAxis> to_axes(at::TensorList begin, at::TensorList column, const OptionalTensors& value,
                                at::IntArrayRef axes) {
  require((begin.size() == 1 || begin.size() == 2) && column.size() == begin.size() &&
              value.size() == begin.size() && axes.size() == begin.size() * kNumbers,
          "axis_map",
          "inn::sample_sparse: one or two axes are required, each with begin, column, value and 5 numbers.");
  std::vector<SparseAxis> result;
  for (size_t a = 0; a < begin.size(); ++a) {
    const std::optional<at::Tensor> values = value.get(a);
    result.push_back(axis_of(axes, a, begin[a], column[a], values.value_or(at::Tensor())));
  }
  return result;
}

void require_of_operator(bool holds, const char* what) {
  require(holds, "axis_map", "inn::sample_sparse: {}.", what);
}

/// Checks the entries of a map from width `cols`, on the device of the tensor that it is for.
void check_entries(const at::Tensor& begin, const at::Tensor& column, int64_t cols, c10::Device device) {
  for (const auto& index : {begin, column})
    require_of_operator(index.dim() == 1 && index.scalar_type() == at::kLong && index.is_contiguous() &&
                            index.device() == device,
                        "begin and column must be contiguous int64 vectors on the tensor's device");
  require_of_operator(begin.size(0) > 0 && cols > 0,
                      "begin must have one number a row and one more, and cols be at least 1");
  if (!device.is_cpu()) return;  // elsewhere reading them would wait for the device
  const auto* first = begin.const_data_ptr<int64_t>();
  const auto* last = first + begin.size(0) - 1;
  require_of_operator(*first == 0 && std::is_sorted(first, last + 1) && *last == column.size(0),
                      "begin must increase from 0 to the number of entries");
  const auto* named = column.const_data_ptr<int64_t>();
  require_of_operator(
      std::all_of(named, named + column.size(0), [&](int64_t c) { return c >= 0 && c < cols; }),
      "every column must be in [0, cols)");
}

void check(const at::Tensor& x, const SparseAxis& map) {
  require_of_operator(x.is_floating_point(), "the tensor must be of floating point");
  require_of_operator(map.axis >= 0 && map.axis < x.dim() && map.outer > 0 && map.inner > 0 && map.cols > 0 &&
                          x.size(map.axis) == map.outer * map.cols * map.inner,
                      "the axis must be one of the tensor's, of size outer·cols·inner");
  check_entries(map.begin, map.column, map.cols, x.device());
  require_of_operator(map.begin.size(0) == map.rows + 1, "begin must have one number a row and one more");
  const auto sums = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  if (map.value.defined())
    require_of_operator(map.value.dim() == 1 && map.value.size(0) == map.column.size(0) &&
                            map.value.is_contiguous() && map.value.scalar_type() == sums &&
                            map.value.device() == x.device(),
                        "value must have one number an entry: float64 for a float64 tensor, else float32");
}

at::Tensor sample_sparse_kernel(const at::Tensor& x, at::TensorList begin, at::TensorList column,
                                const OptionalTensors& value, at::IntArrayRef axes) {
  const auto maps = to_axes(begin, column, value, axes);
  for (const auto& map : maps) check(x, map);
  require(maps.size() == 1 || maps[0].axis != maps[1].axis, "axis_map",
          "inn::sample_sparse: the axes must differ.");
  return sampled(x, maps);
}

at::Tensor sample_sparse_meta(const at::Tensor& x, at::TensorList begin, at::TensorList column,
                              const OptionalTensors& value, at::IntArrayRef axes) {
  return empty_result(x, to_axes(begin, column, value, axes));
}

at::Tensor value_gradient_kernel(const at::Tensor& x, const at::Tensor& back, const at::Tensor& begin,
                                 const at::Tensor& column, const at::Tensor& value, at::IntArrayRef axis) {
  const OptionalTensors values({std::optional(value)});
  const SparseAxis map = to_axes({begin}, {column}, values, axis).front();
  check(x, map);
  auto sizes = x.sizes().vec();
  sizes[static_cast<size_t>(map.axis)] = map.outer * map.rows * map.inner;
  require(back.sizes() == sizes, "axis_map",
          "inn::sample_sparse_gradient: the gradient must have the result's sizes.");
  return value_gradient(x, back, map);
}

at::Tensor value_gradient_meta(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&,
                               const at::Tensor& value, at::IntArrayRef) {
  return at::empty_like(value);
}

using Transposed = std::tuple<at::Tensor, at::Tensor, at::Tensor>;  // begin, column, places of the entries

Transposed transposed_entries(const at::Tensor& begin, const at::Tensor& column, int64_t cols) {
  check_entries(begin, column, cols, c10::kCPU);
  const int64_t rows = begin.size(0) - 1, entries = column.size(0);
  at::Tensor begins = at::zeros({cols + 1}, at::kLong), columns = at::empty({entries}, at::kLong),
             places = at::empty({entries}, at::kLong);
  const auto* first = begin.const_data_ptr<int64_t>();
  const auto* named = column.const_data_ptr<int64_t>();
  auto* next = begins.mutable_data_ptr<int64_t>();
  for (int64_t e = 0; e < entries; ++e) ++next[named[e] + 1];
  for (int64_t c = 0; c < cols; ++c) next[c + 1] += next[c];
  std::vector<int64_t> free(next, next + cols);
  auto* row_of = columns.mutable_data_ptr<int64_t>();
  auto* place_of = places.mutable_data_ptr<int64_t>();
  for (int64_t j = 0; j < rows; ++j) {
    for (int64_t e = first[j]; e < first[j + 1]; ++e) {
      const int64_t place = free[static_cast<size_t>(named[e])]++;
      row_of[place] = j;
      place_of[place] = e;
    }
  }
  return {begins, columns, places};
}

/// The same by torch's operators.
Transposed transposed_entries_by_sorting(const at::Tensor& begin, const at::Tensor& column, int64_t cols) {
  const auto [sorted, places] = column.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false);
  const at::Tensor rows = rows_of_entries(begin, column);
  return {at::searchsorted(sorted, at::arange(cols + 1, column.options())), rows.index_select(0, places),
          places};
}

Transposed transposed_entries_meta(const at::Tensor& begin, const at::Tensor& column, int64_t cols) {
  return {at::empty({cols + 1}, begin.options()), at::empty_like(column), at::empty_like(column)};
}

at::Tensor call_sample_sparse(const at::Tensor& x, const std::vector<SparseAxis>& axes) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("inn::sample_sparse", "")
                             .typed<decltype(sample_sparse_kernel)>();
  std::vector<at::Tensor> begin, column;
  OptionalTensors value;
  for (const auto& map : axes) {
    begin.push_back(map.begin);
    column.push_back(map.column);
    value.push_back(map.value.defined() ? std::optional(map.value) : std::nullopt);
  }
  return op.call(x, begin, column, value, numbers_of(axes));
}

at::Tensor call_value_gradient(const at::Tensor& x, const at::Tensor& back, const SparseAxis& map) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("inn::sample_sparse_gradient", "")
                             .typed<decltype(value_gradient_kernel)>();
  return op.call(x, back, map.begin, map.column, map.value, numbers_of({map}));
}

class SampleSparse : public torch::autograd::Function<SampleSparse> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const std::optional<at::Tensor>& first,
                            const std::optional<at::Tensor>& second, const std::vector<SparseAxis>& axes) {
    // x is what only the gradients of the values need.
    const auto learns = [](const std::optional<at::Tensor>& value) {
      return value && value->requires_grad();
    };
    variable_list saved{learns(first) || learns(second) ? x : at::Tensor(), first.value_or(at::Tensor()),
                        second.value_or(at::Tensor())};
    for (const auto& map : axes) saved.insert(saved.end(), {map.begin, map.column});
    ctx->save_for_backward(std::move(saved));
    ctx->saved_data["axes"] = numbers_of(axes);
    const at::AutoDispatchBelowADInplaceOrView below;
    return call_sample_sparse(x, axes);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const auto saved = ctx->get_saved_variables();
    const auto numbers = ctx->saved_data["axes"].toIntVector();
    const at::Tensor& x = saved[0];
    std::vector<SparseAxis> axes, back;
    for (size_t a = 0; a < numbers.size() / kNumbers; ++a) {
      axes.push_back(axis_of(numbers, a, saved[3 + 2 * a], saved[4 + 2 * a], saved[1 + a]));
      back.push_back(transposed(axes.back()));
    }
    variable_list result(4);
    if (ctx->needs_input_grad(0)) result[0] = call_sample_sparse(gradients[0], back);
    size_t edge = 1;  // of the values that are there
    for (size_t a = 0; a < axes.size(); ++a) {
      if (!axes[a].value.defined() || !ctx->needs_input_grad(edge++)) continue;
      const at::Tensor reached =
          axes.size() == 1 ? gradients[0] : call_sample_sparse(gradients[0], {back[1 - a]});
      result[a + 1] = at::GradMode::is_enabled() ? differentiable_value_gradient(x, reached, axes[a])
                                                 : call_value_gradient(x, reached, axes[a]);
    }
    return result;
  }
};

at::Tensor sample_sparse_autograd(const at::Tensor& x, at::TensorList begin, at::TensorList column,
                                  const OptionalTensors& value, at::IntArrayRef axes) {
  const auto maps = to_axes(begin, column, value, axes);
  const auto values = [&](size_t a) {
    return a < maps.size() && maps[a].value.defined() ? std::optional(maps[a].value) : std::nullopt;
  };
  return SampleSparse::apply(x, values(0), values(1), maps);
}

/// y_j = Σ_t weight[j, t] x_{index[j, t]} along one axis.
at::Tensor sample_taps(const at::Tensor& x, const at::Tensor& index, const at::Tensor& weight, int64_t axis) {
  require(index.dim() == 2 && weight.sym_sizes() == index.sym_sizes(), "axis_map",
          "inn::sample_taps: index and weight must be two matrices [m, k].");
  const int64_t place = at::maybe_wrap_dim(axis, x.dim());
  const auto sums = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const int64_t rows = index.size(0), taps = index.size(1);
  const at::Tensor begin = at::arange(0, rows * taps + 1, std::max<int64_t>(taps, 1), index.options());
  return call_sample_sparse(x, {{place, 1, 1, rows, x.sym_size(place).guard_int(__FILE__, __LINE__), begin,
                                 index.reshape(-1).contiguous(), weight.to(sums).reshape(-1).contiguous()}});
}

TORCH_LIBRARY(inn, library) {
  library.def(
      "sample_sparse(Tensor x, Tensor[] begin, Tensor[] column, Tensor?[] value, int[] axes) -> Tensor");
  library.def(
      "sample_sparse_gradient(Tensor x, Tensor back, Tensor begin, Tensor column, Tensor value, int[] axis) "
      "-> "
      "Tensor");
  library.def("transposed_entries(Tensor begin, Tensor column, int cols) -> (Tensor, Tensor, Tensor)");
  library.def("sample_taps(Tensor x, Tensor index, Tensor weight, int axis) -> Tensor");
  library.impl("sample_taps", c10::DispatchKey::CompositeImplicitAutograd, &sample_taps);
}
TORCH_LIBRARY_IMPL(inn, CPU, library) {
  library.impl("sample_sparse", &sample_sparse_kernel);
  library.impl("sample_sparse_gradient", &value_gradient_kernel);
  library.impl("transposed_entries", &transposed_entries);
}
TORCH_LIBRARY_IMPL(inn, CUDA, library) {
#ifdef INN_HAS_CUDA_KERNELS
  library.impl("sample_sparse", &sample_sparse_kernel);
  library.impl("sample_sparse_gradient", &value_gradient_kernel);
#endif
  library.impl("transposed_entries", &transposed_entries_by_sorting);
}
TORCH_LIBRARY_IMPL(inn, Meta, library) {
  library.impl("sample_sparse", &sample_sparse_meta);
  library.impl("sample_sparse_gradient", &value_gradient_meta);
  library.impl("transposed_entries", &transposed_entries_meta);
}
TORCH_LIBRARY_IMPL(inn, Autograd, library) { library.impl("sample_sparse", &sample_sparse_autograd); }

}  // namespace

bool can_sample_on(c10::DeviceType device) {
#ifdef INN_HAS_CUDA_KERNELS
  if (device == c10::kCUDA) return true;
#endif
  return device == c10::kCPU;
}

SparseAxis transposed(const SparseAxis& map) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("inn::transposed_entries", "")
                             .typed<decltype(transposed_entries)>();
  const auto [begin, column, places] = op.call(map.begin, map.column, map.cols);
  return transpose_of(map, begin, column, places);
}

SparseAxis transposed_by_sorting(const SparseAxis& map) {
  const auto [begin, column, places] = transposed_entries_by_sorting(map.begin, map.column, map.cols);
  return transpose_of(map, begin, column, places);
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
  return learns ? call_sample_sparse(x, cast) : sampled(x, cast);
}

}  // namespace inn
