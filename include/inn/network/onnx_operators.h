#pragma once
// Which operators pass between networks and ONNX models.

#include <string>
#include <vector>

namespace inn {

/// Operators of ONNX that `read_onnx` takes, and `If` where sizes decide: "Conv".
std::vector<std::string> onnx_operators_read();

/// Operators of torch that `write_onnx` takes, in-place variants too: "aten::conv2d", with an overload where others differ.
std::vector<std::string> onnx_operators_written();

}  // namespace inn
