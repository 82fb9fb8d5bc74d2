#pragma once
// Families of grids: which points a group takes at each of its widths.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "inn/grid/grid.h"

namespace inn {

/// A grid for every width m of a group of source width n, which at m = n is the uniform grid.
struct GridFamily {
  std::string name;
  std::string quadrature;  // the rule for its grids, unless another is asked for
  std::function<std::shared_ptr<Grid>(int64_t m, int64_t n)> make;
};

/// Returns the names: "uniform" (UniformGrid), "nested" (NestedGrid; UniformGrid where m ≥ n).
std::vector<std::string> grid_family_names();
/// Throws std::invalid_argument for an unknown name, with the nearest ones.
const GridFamily& find_grid_family(std::string_view name);

}  // namespace inn
