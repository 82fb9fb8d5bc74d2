#include "operators.h"

namespace inn::onnx::reading {

const Operators& operators() {
  static const Operators all = [] {
    Operators made;
    for (const auto add :
         {add_arithmetic, add_activations, add_attention, add_convolutions, add_normalizations, add_products,
          add_recurrent, add_reductions, add_resize, add_indexing, add_shapes})
      add(made);
    return made;
  }();
  return all;
}

std::vector<int64_t> axes_of(NodeView& node, size_t input) {
  return node.has(input) ? node.integers(input) : node.attributes("axes");
}

}  // namespace inn::onnx::reading
