#include "inn/network/einsum.h"

#include <algorithm>
#include <map>

#include "inn/cost/formula.h"

namespace inn {

int64_t einsum_macs(const std::string& equation, const std::vector<Sizes>& operands) {
  std::vector<size_t> ranks;
  for (const auto& sizes : operands) ranks.push_back(sizes.size());
  const EinsumEquation parsed = parse_einsum(equation, ranks);
  std::map<EinsumEquation::Label, int64_t> sizes;
  for (size_t t = 0; t < operands.size(); ++t)
    for (size_t d = 0; d < operands[t].size(); ++d) {
      auto& size = sizes[parsed.operands[t][d]];
      size = std::max(size, operands[t][d]);
    }
  const auto holds = [](const std::vector<EinsumEquation::Label>& labels, EinsumEquation::Label label) {
    return std::find(labels.begin(), labels.end(), label) != labels.end();
  };
  int64_t macs = 0;
  auto held = parsed.operands.front();
  for (size_t t = 1; t < operands.size(); ++t) {
    auto pair = held;
    for (const auto label : parsed.operands[t])
      if (!holds(pair, label)) pair.push_back(label);
    int64_t product = 1;
    for (const auto label : pair) product *= sizes.at(label);
    macs += product;
    held.clear();
    for (const auto label : pair) {
      bool later = holds(parsed.result, label);
      for (size_t rest = t + 1; rest < operands.size(); ++rest)
        later = later || holds(parsed.operands[rest], label);
      if (later) held.push_back(label);
    }
  }
  return macs;
}

}  // namespace inn
