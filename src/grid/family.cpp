#include "inn/grid/family.h"

#include "inn/core/named_table.h"

namespace inn {
namespace {

const std::vector<GridFamily>& families() {
  static const std::vector<GridFamily> known{
      {.name = "uniform",
       .quadrature = "trapezoid",
       .make = [](int64_t m, int64_t) { return std::make_shared<UniformGrid>(m); }},
      // A rule with weights from the gaps between points would depend on which channels were removed.
      {.name = "nested",
       .quadrature = "rectangle",
       .make = [](int64_t m, int64_t n) -> std::shared_ptr<Grid> {
         if (m >= n) return std::make_shared<UniformGrid>(m);
         return std::make_shared<NestedGrid>(m, n);
       }}};
  return known;
}

}  // namespace

std::vector<std::string> grid_family_names() { return names_of(families()); }

const GridFamily& find_grid_family(std::string_view name) {
  return find_named(families(), name, "grid", "Grid family '{}': no such family.{}");
}

}  // namespace inn
