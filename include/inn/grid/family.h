#pragma once
// Grid families: the sample points of a group for every width.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "inn/grid/grid.h"

namespace inn {

/// A grid for every width m of a group of source width n; the uniform grid for m = n.
struct GridFamily {
  std::string name;
  std::string quadrature;  // default quadrature rule for its grids
  std::function<std::shared_ptr<Grid>(int64_t m, int64_t n)> make;
};

/// Returns the names: "uniform" (UniformGrid), "nested" (NestedGrid; UniformGrid where m ≥ n).
std::vector<std::string> grid_family_names();
/// Throws std::invalid_argument for an unknown name, with the nearest ones.
const GridFamily& find_grid_family(std::string_view name);

}  // namespace inn
