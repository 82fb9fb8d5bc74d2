#pragma once
// The continuous axes of layers that are built from scratch.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inn/dimension/groups.h"
#include "inn/grid/grid.h"
#include "inn/model/integral_model.h"

namespace inn {

struct IntegralAxisOptions {
  std::string name = {};  // for messages
  std::string kernel = "cubic";
  std::string quadrature = {};  // empty: that of the grids
  std::string grid = "nested";
};

/// A continuous axis of layers, or a product of such: `heads * head_dim`. A handle: copies are the same axis,
/// and layers that are given one have one width there.
///
///   IntegralAxis hidden = 64;
///   IntegralLinear first(IntegralLinearOptions(10, hidden)), second(IntegralLinearOptions(hidden, 3));
///   hidden.resize(48);  // both
///
/// At its source width an axis changes nothing, bit for bit (docs/math.md, "Integral layers").
class IntegralAxis {
 public:
  /// An axis of width 1 that nothing changes: the product of nothing.
  IntegralAxis() = default;
  /// A new axis at its source width. Throws std::invalid_argument unless width ≥ 1, and for unknown kernels,
  /// quadratures and families of grids.
  IntegralAxis(int64_t width, const IntegralAxisOptions& options = {});

  /// Returns the product, the outermost factor first, as memory is.
  friend IntegralAxis operator*(const IntegralAxis& outer, const IntegralAxis& inner);
  /// Returns the axis for a contraction of two activations: the layer that produces it folds the quadrature
  /// weights in. Given to one of the two, the queries, and not to the keys.
  IntegralAxis weighted() const;

  int64_t source_width() const;
  int64_t width() const;
  /// Samples the axis at the `width` points of its family from now on. Throws std::invalid_argument unless 1
  /// ≤ width ≤ 8·source_width, and for a product, whose factors are resized one by one.
  void resize(int64_t width);
  /// Takes any grid; one that learns has its parameters given to the optimizer by its owner. Throws as
  /// `resize` does.
  void set_grid(std::shared_ptr<Grid> grid);
  /// Throws std::invalid_argument for a product.
  const Grid& grid() const;

  /// One factor of the axis and how a tensor meets it.
  struct Factor {
    std::shared_ptr<IntegralGroup> group;
    Role role;
  };
  /// Returns the factors, outermost first, for tensors that produce or consume the axis.
  std::vector<Factor> factors(Role role) const;
  /// Returns what is left of the axis after the factors of `outer`; nothing where it does not begin with
  /// them.
  std::optional<IntegralAxis> after(const IntegralAxis& outer) const;

 private:
  struct Part {
    std::shared_ptr<IntegralGroup> group;
    bool weighted;
  };
  IntegralGroup& single(const char* what) const;

  std::vector<Part> parts_;
};

/// Returns `tensor`, held at source widths, sampled at the present grids of its axes: `axes[d]` are the
/// factors of axis d; an axis without is left. Differentiable in the tensor and in the grids; the tensor
/// itself where all axes have their source grids.
at::Tensor sample_axes(const at::Tensor& tensor,
                       std::initializer_list<std::vector<IntegralAxis::Factor>> axes);

}  // namespace inn
