#pragma once
// Arithmetic on sizes: Python's operators, as an exported graph names them, and TorchScript's.

#include <string>
#include <vector>

namespace inn::pt2 {

/// One operator on numbers. `kinds` has a letter for each argument: i(nteger), f(loat), b(oolean).
struct NumberOperator {
  const char* python;  // "_operator.mul"
  const char* kinds;   // "ii"
  const char* op;      // "aten::mul"
  const char* overload;
};

const std::vector<NumberOperator>& number_operators();

/// Whether a node's target is a Python operator on numbers, supported or not.
bool is_number_target(const std::string& target);

}  // namespace inn::pt2
