#pragma once
// Continuous axes of integral layers.

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
  std::string quadrature = {};  // empty: default of the grids
  std::string grid = "nested";
};

/// A continuous axis shared by layers, or a product of such: `heads * head_dim`. A handle: copies refer to
/// the same axis, and all layers with it have the same width.
///
///   IntegralAxis hidden = 64;
///   IntegralLinear first(IntegralLinearOptions(10, hidden)), second(IntegralLinearOptions(hidden, 3));
///   hidden.resize(48);  // both
///
/// At the source width layers equal ordinary ones, bit for bit (docs/math.md, "Integral layers").
class IntegralAxis {
 public:
  /// The empty product: a constant axis of width 1.
  IntegralAxis() = default;
  /// A new axis at its source width. Throws std::invalid_argument unless width ≥ 1, and for unknown kernels,
  /// quadratures and families of grids.
  IntegralAxis(int64_t width, const IntegralAxisOptions& options = {});

  /// Returns the product, outermost factor first, as in memory.
  friend IntegralAxis operator*(const IntegralAxis& outer, const IntegralAxis& inner);
  /// Returns the axis for a contraction of two activations: the layer that produces it includes the
  /// quadrature weights. Use it for one of the two (the queries), not for the other.
  IntegralAxis weighted() const;

  int64_t source_width() const;
  int64_t width() const;
  /// Sets the width: the axis is sampled at the `width` points of its family. Throws std::invalid_argument
  /// unless 1 ≤ width ≤ 8·source_width, and for a product, whose factors are resized individually.
  void resize(int64_t width);
  /// Sets any grid; parameters of a trainable grid must be passed to the optimizer by the caller. Throws as
  /// `resize` does.
  void set_grid(std::shared_ptr<Grid> grid);
  /// Throws std::invalid_argument for a product.
  const Grid& grid() const;

  /// One factor of the axis and its role in a tensor.
  struct Factor {
    std::shared_ptr<IntegralGroup> group;
    MemberRole role;
  };
  /// Returns the factors, outermost first, for tensors that produce or consume the axis.
  std::vector<Factor> factors(MemberRole role) const;
  /// Returns the remaining factors after those of `outer`; nothing if the axis does not start with them.
  std::optional<IntegralAxis> after(const IntegralAxis& outer) const;

 private:
  struct Part {
    std::shared_ptr<IntegralGroup> group;
    bool weighted;
  };
  IntegralGroup& single(const char* what) const;

  std::vector<Part> parts_;
};

/// Returns `tensor`, given at source widths, sampled at the current grids of its axes: `axes[d]` are the
/// factors of axis d, and axes without factors are unchanged. Differentiable in the tensor and in the grids;
/// returns the tensor itself if all axes have their source grids.
at::Tensor sample_axes(const at::Tensor& tensor,
                       std::initializer_list<std::vector<IntegralAxis::Factor>> axes);

}  // namespace inn
