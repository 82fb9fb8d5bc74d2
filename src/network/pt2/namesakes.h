#pragma once
// Operators of other libraries that torch has under another name.

#include <string>
#include <vector>

namespace inn::pt2 {

/// An operator that computes what one of torch's does, for the same arguments in the same order. The reader
/// takes the latter; arguments of torch's that the other lacks keep their defaults.
struct Namesake {
  const char* other;                   // "transformers::grouped_mm_fallback", as a qualified name
  std::vector<const char*> arguments;  // the other's names, in torch's order
  const char* op;                      // "aten::_grouped_mm"
  const char* overload;
};

/// The table: a further namesake is one line of it.
const std::vector<Namesake>& namesakes();

/// Returns the entry of the operator, or nullptr.
const Namesake* find_namesake(const std::string& op, const std::string& overload);

}  // namespace inn::pt2
