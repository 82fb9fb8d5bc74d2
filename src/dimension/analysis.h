#pragma once
// The state of one analysis: what rules read and write through RuleContext.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "inn/dimension/algebra.h"
#include "inn/dimension/groups.h"
#include "inn/dimension/rule.h"

namespace inn {

class Analysis {
 public:
  Analysis(const Network& network, const RuleTable& rules);
  void run();

  /// An axis of a state tensor.
  struct Origin {
    size_t state;
    int64_t axis;
    auto operator<=>(const Origin&) const = default;
  };
  /// A size burned into a call, and the axis it follows.
  struct SizeSite {
    size_t call;
    size_t argument;
    std::optional<size_t> element;
    Axis axis;
  };
  /// An argument that becomes a constant: a default that depends on a width.
  struct ConstantSite {
    size_t call;
    size_t argument;
    c10::IValue value;
  };
  struct Consumption {
    Origin origin;
    Axis axis;
  };

  const Network& network;
  const RuleTable& rules;
  Algebra algebra;
  std::vector<std::optional<Axes>> axes;                  // by value
  std::vector<std::optional<Axis>> integers;              // by value
  std::vector<std::vector<std::vector<Origin>>> origins;  // by value, by axis: the parameters it is a view of
  std::vector<bool> bounded;                              // by state: see Groups::bounded
  std::vector<bool> of_parameters;                        // by value: computed of parameters alone
  std::vector<SizeSite> sizes;
  std::vector<ConstantSite> constants;
  std::vector<Consumption> consumptions;
  std::map<std::string, int64_t> unknown_operators;

 private:
  void start();
  void apply(size_t call_index);
  /// Pins all that the call touches, since `why`.
  void apply_unknown(size_t call_index, const std::string& why);
  void finish();
};

/// Names the free variables that reach a state tensor, and lists where they stand.
Groups collect_groups(const Analysis& analysis);
/// Replaces every size expression by the number that it is now, and drops the symbols.
void freeze_sizes(Network& network);
/// Replaces the sizes that rules marked by expressions over symbols, which it makes.
void derive_sizes(const Analysis& analysis, Network& network, Groups& groups);

}  // namespace inn
