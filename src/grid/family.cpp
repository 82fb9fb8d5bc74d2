#include "inn/grid/family.h"

#include "inn/core/error.h"

namespace inn {
namespace {

const std::vector<GridFamily>& families() {
  static const std::vector<GridFamily> known{
      {.name = "uniform", .make = [](int64_t m, int64_t) { return std::make_shared<UniformGrid>(m); }},
      {.name = "nested", .make = [](int64_t m, int64_t n) -> std::shared_ptr<Grid> {
         if (m >= n) return std::make_shared<UniformGrid>(m);
         return std::make_shared<NestedGrid>(m, n);
       }}};
  return known;
}

}  // namespace

std::vector<std::string> grid_family_names() {
  std::vector<std::string> names;
  for (const auto& family : families()) names.push_back(family.name);
  return names;
}

const GridFamily& find_grid_family(std::string_view name) {
  for (const auto& family : families())
    if (family.name == name) return family;
  raise("grid", "Grid family '{}': there is no such family.{}", name,
        nearest_names(name, grid_family_names()));
}

}  // namespace inn
