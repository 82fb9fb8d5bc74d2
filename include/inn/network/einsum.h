#pragma once
// The equation of aten::einsum.

#include <cstddef>
#include <string>
#include <vector>

namespace inn {

/// The labels of the axes of an einsum.
struct EinsumEquation {
  /// A letter; axes under an ellipsis have negative labels, counted from the right, so that those that
  /// broadcast against each other have one label.
  using Label = int;
  std::vector<std::vector<Label>> operands;  // by operand, by axis
  std::vector<Label> result;                 // by axis of the result
};

/// Parses `equation` for operands with the given numbers of axes: "bhid, bhjd -> bhij", "...ij,jk", with or
/// without an arrow. Throws std::invalid_argument if the numbers of operands or axes do not fit.
EinsumEquation parse_einsum(const std::string& equation, const std::vector<size_t>& ranks);

}  // namespace inn
