#include "rules.h"

#include "inn/core/error.h"
#include "inn/core/text.h"

namespace inn::onnx {

const Rules& rules() {
  static const Rules table = [] {
    Rules all;
    for (const auto add :
         {add_arithmetic, add_activations, add_convolutions, add_pooling, add_normalizations, add_products,
          add_reductions, add_shapes, add_indexing, add_recurrent, add_creation})
      add(all);
    return all;
  }();
  return table;
}

const Rule& rule_of(const Call& call) {
  std::string op = call.op;
  if (op.ends_with('_') && !op.ends_with("__")) op.pop_back();
  for (const auto& name : {op + "." + call.overload, op})
    if (const auto found = rules().find(name); found != rules().end()) return found->second;
  raise("network", "ONNX: operator {} in module '{}' is not supported.", call.qualified_name(), call.module);
}

Name numbers_below(Emitter& emitter, const Name& count) {
  const Name end = emitter.add("Squeeze", {count, emitter.integers({0})});
  return emitter.add("Range", {emitter.scalar(0, at::kLong), end, emitter.scalar(1, at::kLong)});
}

Name cast(Emitter& emitter, const Name& name, c10::ScalarType from, c10::ScalarType to) {
  return from == to ? name : emitter.add("Cast", {name}, {{"to", int64_t{element_type(to)}}});
}

std::vector<int64_t> both_ends(const CallView& call, size_t axes) {
  auto pads = call.integers("padding", axes);
  pads.resize(axes, 0);
  pads.insert(pads.end(), pads.begin(), pads.begin() + static_cast<int64_t>(axes));
  return pads;
}

}  // namespace inn::onnx
