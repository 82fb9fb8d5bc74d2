#pragma once
// Inputs, state and outputs of a network as the JSON of a signature.

#include "inn/network/network.h"
#include "json.h"
#include "write_arguments.h"

namespace inn::pt2 {

struct WrittenSignature {
  Json inputs = Json::array(), outputs = Json::array();  // of the graph
  Json specs;                                            // input_specs and output_specs
  Json alias_values = Json::object();                    // tensor_values of the further names of tied tensors
};
WrittenSignature write_signature(const Network& network, const ArgumentContext& context);

Json write_module_call_graph(const Network& network);

/// Returns pytree specifications: the network's own, or for a network without them one tuple of its inputs
/// and outputs.
std::string in_spec(const Network& network);
std::string out_spec(const Network& network);

}  // namespace inn::pt2
