#pragma once
// How operators are written in ONNX, by family.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "call_view.h"
#include "emitter.h"

namespace inn::onnx {

/// Adds the nodes of a call, and returns what its results are.
using Rule = std::function<std::vector<Name>(Emitter&, const CallView&)>;

/// By operator: "aten::add", or with its overload "aten::max.dim", which comes first. In-place operators have the rules of
/// their functional forms.
using Rules = std::map<std::string, Rule>;

void add_arithmetic(Rules& rules);
void add_activations(Rules& rules);
void add_convolutions(Rules& rules);
void add_pooling(Rules& rules);
void add_normalizations(Rules& rules);
void add_products(Rules& rules);
void add_reductions(Rules& rules);
void add_shapes(Rules& rules);
void add_indexing(Rules& rules);
void add_recurrent(Rules& rules);
void add_creation(Rules& rules);

/// All of them.
const Rules& rules();
/// The rule of a call. Throws std::invalid_argument naming the operator and its module if there is none.
const Rule& rule_of(const Call& call);

/// `name` as `type`, by a Cast if it has another.
Name cast(Emitter& emitter, const Name& name, c10::ScalarType from, c10::ScalarType to);

/// The numbers from 0 on below a count, which is [1] int64.
Name numbers_below(Emitter& emitter, const Name& count);

/// The paddings of a call's spatial axes in ONNX's order: the beginnings of all axes, then their ends.
std::vector<int64_t> both_ends(const CallView& call, size_t axes);

}  // namespace inn::onnx
