// Attention as one operator.

#include <cmath>

#include "rules/rules.h"

namespace inn::rules {
namespace {

/// Unifies the axes of two tensors that broadcast against each other there.
void align(RuleContext& context, const AxisStructure& a, const AxisStructure& b) {
  if (a.size == b.size && !a.is_constant() && !b.is_constant()) context.unify(a, b);
  stretch(context, a, b.size);
  stretch(context, b, a.size);
}

void attend(RuleContext& context) {
  const TensorAxes query = context.axes("query"), key = context.axes("key"), value = context.axes("value");
  const size_t rank = query.size();
  context.unify(query[rank - 1], key[rank - 1]);
  context.unify(key[rank - 2], value[rank - 2]);
  for (size_t d = 0; d + 2 < rank; ++d) {
    align(context, key[d], value[d]);
    if (d + 3 == rank && query[d].size != key[d].size && context.flag("enable_gqa")) {
      // Several queries share one key: heads are kv·r.
      const AxisStructure repeats = context.fresh(query[d].size / key[d].size);
      context.unify(query[d], AxisStructure::of_product({key[d], repeats}));
    } else {
      align(context, query[d], key[d]);
    }
  }
  if (context.is_tensor("attn_mask")) {
    const TensorAxes mask = context.axes("attn_mask");
    TensorAxes scores(query.begin(), query.end() - 1);
    scores.push_back(key[rank - 2]);
    for (size_t d = 0; d < mask.size(); ++d) align(context, mask[mask.size() - 1 - d], scores[rank - 1 - d]);
  }
  if (context.flag("is_causal"))
    for (const auto& axis : {query[rank - 2], key[rank - 2]})
      context.pin(axis, context.site() + " applies a causal mask along it");
  // The scale stays that of the width at which the network was made.
  if (!context.has("scale"))
    context.set_constant("scale", 1 / std::sqrt(static_cast<double>(query[rank - 1].size)));
  const auto last = static_cast<int64_t>(rank) - 1;
  context.contract({{"query", last}, {"key", last}});
  TensorAxes result(query.begin(), query.end() - 1);
  result.push_back(value.back());
  context.set_result(result);
  context.propagate_scale("value", last, last);
}

}  // namespace

void add_attention(RuleTable& table) {
  table.add(
      {"aten::scaled_dot_product_attention"},
      "result [n, h, l, v] of query [n, h, l, e], key [n, h, s, e], value [n, h, s, v]; e is consumed, in "
      "the query; with enable_gqa the query's heads are h·r; the scale stays 1/√e of the source",
      attend);
}

}  // namespace inn::rules
