// Quadrature rules, grids and interpolation kernels, by themselves.

#include "bind.h"
#include "inn/axis_map/axis_map.h"
#include "inn/grid/gauss_legendre.h"
#include "inn/grid/grid.h"
#include "inn/quadrature/quadrature.h"
#include "inn/weight_function/interpolation_kernel.h"

namespace inn::python {

void bind_quadrature(nb::module_& m) {
  m.def("quadrature_names", &quadrature_names);
  m.def(
      "quadrature_weights",
      [](const std::string& rule, const at::Tensor& points) {
        return quadrature_weights(find_quadrature(rule), points);
      },
      nb::arg("rule"), nb::arg("points"));
  m.def(
      "quadrature_nodes",
      [](const std::string& rule, int64_t count, uint64_t seed) {
        return quadrature_nodes(find_quadrature(rule), count, seed);
      },
      nb::arg("rule"), nb::arg("count"), nb::arg("seed") = 0);
  m.def(
      "gauss_legendre",
      [](int64_t count) {
        auto rule = gauss_legendre(count);
        return std::pair(rule.nodes, rule.weights);
      },
      nb::arg("count"));
  m.def("nested_order", &nested_order, nb::arg("count"));
  m.def("kernel_names", &kernel_names);
  m.def(
      "interpolate",
      [](const std::string& kernel, const at::Tensor& values, const at::Tensor& points, int64_t axis) {
        return interpolation_map(find_kernel(kernel), values.size(axis), points).apply(values, axis);
      },
      nb::arg("kernel"), nb::arg("values"), nb::arg("points"), nb::arg("axis"),
      "Samples the function whose control points are `values` along `axis` at points in [0, 1].");
}

}  // namespace inn::python
