#include "networks/rule_examples.h"

#include "inn/network/files.h"
#include "networks/rule_pieces.h"

namespace inn::test {
namespace {

/// Runs the example once for its parameters, and once to be recorded.
Network traced(const Example& example) {
  at::manual_seed(1);
  const auto pieces = std::make_shared<Pieces>();
  const auto x = at::randn({2, 3, 6, 6});
  example(*pieces, x);  // makes the parameters
  return trace(
      *pieces, [&](const at::Tensor& in) { return example(*pieces, in); }, x);
}

}  // namespace

std::vector<RuleExample> rule_examples() {
  std::vector<RuleExample> all;
  for (const auto& examples : {elementwise_examples(), layer_examples(), shape_examples()})
    for (const auto& [name, run] : examples) all.push_back({name, [run = run] { return traced(run); }});
  return all;
}

}  // namespace inn::test
