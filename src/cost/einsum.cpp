#include "inn/network/einsum.h"

#include <algorithm>
#include <map>
#include <set>

#include "inn/cost/formula.h"

namespace inn {

int64_t einsum_macs(const std::string& equation, const std::vector<Sizes>& operands) {
  using Label = EinsumEquation::Label;
  std::vector<size_t> ranks;
  for (const auto& sizes : operands) ranks.push_back(sizes.size());
  const EinsumEquation parsed = parse_einsum(equation, ranks);
  std::map<Label, int64_t> sizes;
  for (size_t t = 0; t < operands.size(); ++t)
    for (size_t d = 0; d < operands[t].size(); ++d) {
      auto& size = sizes[parsed.operands[t][d]];
      size = std::max(size, operands[t][d]);
    }
  const auto holds = [](const std::vector<Label>& labels, Label label) {
    return std::find(labels.begin(), labels.end(), label) != labels.end();
  };
  int64_t macs = 0;
  std::set<Label> held(parsed.operands.front().begin(), parsed.operands.front().end());
  for (size_t t = 1; t < operands.size(); ++t) {
    const std::set<Label> next(parsed.operands[t].begin(), parsed.operands[t].end());
    // What neither the result nor a later operand has is summed over: before the product where only one of
    // the two has it, by the product where both have. Without the latter nothing is added up.
    const auto is_needed = [&](Label label) {
      bool needed = holds(parsed.result, label);
      for (size_t rest = t + 1; rest < operands.size(); ++rest)
        needed = needed || holds(parsed.operands[rest], label);
      return needed;
    };
    int64_t summed = 1, product = 1;
    for (const Label label : held)
      if (!is_needed(label) && next.contains(label)) summed *= sizes.at(label);
    held.insert(next.begin(), next.end());
    std::erase_if(held, [&](Label label) { return !is_needed(label); });
    for (const Label label : held) product *= sizes.at(label);
    macs += summed > 1 ? summed * product : 0;
  }
  return macs;
}

}  // namespace inn
