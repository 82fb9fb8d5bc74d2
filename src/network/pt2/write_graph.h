#pragma once
// A network as the JSON of an exported program.

#include "inn/network/network.h"
#include "json.h"

namespace inn::pt2 {

/// Returns the content of models/model.json.
Json write_program(const Network& network);

/// Returns the content of data/sample_inputs/model.pt: ((arguments…), {keywords}) with zeros for every input,
/// as in_spec lays them out.
std::string sample_inputs(const Network& network);

}  // namespace inn::pt2
