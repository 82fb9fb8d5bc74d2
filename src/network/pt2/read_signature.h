#pragma once
// Inputs, state and outputs of an archive's graph.

#include "inn/network/network.h"
#include "json.h"
#include "read_arguments.h"
#include "weights.h"

namespace inn::pt2 {

/// Returns the name in {"as_tensor": {"name": …}} or {"as_sym_int": {"as_name": …}}.
const std::string& name_of(const Json& argument);

/// Adds inputs and state, and defines their names.
void read_inputs(const Json& graph_module, TensorFolder& weights, TensorFolder& constants, Network& network,
                 Scope& scope);
/// Adds the outputs, and the writes to buffers that the source declares at its end.
void read_outputs(const Json& graph_module, Network& network, const Scope& scope);
/// Takes how Python calls the network.
void read_call_signature(const Json& graph_module, Network& network);

}  // namespace inn::pt2
