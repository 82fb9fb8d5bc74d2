#pragma once
// Small networks that call every operator with a rule.

#include <functional>
#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn::test {

struct RuleExample {
  std::string name;  // of the operator, or of the family that it calls
  std::function<Network()> make;
};

/// At least one example for every rule of RuleTable::standard(), on images [2, 3, 6, 6].
std::vector<RuleExample> rule_examples();

}  // namespace inn::test
