// Orders of channels.

#include "bind.h"
#include "inn/ordering/path_cost.h"
#include "inn/ordering/shortest_path.h"

namespace inn::python {

void bind_ordering(nb::module_& m) {
  m.def("total_variation", &total_variation, nb::arg("rows"), Unlocked());
  m.def("path_cost", &path_cost, nb::arg("rows"), Unlocked());
  m.def(
      "shortest_path",
      [](const at::Tensor& cost, int64_t steps, uint64_t seed) {
        return shortest_path(cost, {.steps = steps, .seed = seed});
      },
      nb::arg("cost"), nb::arg("steps") = -1, nb::arg("seed") = 0, Unlocked());
}

}  // namespace inn::python
