#pragma once
// The groups of a network: axes that must have one width.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "inn/dimension/axis.h"
#include "inn/dimension/rule.h"
#include "inn/network/network.h"

namespace inn {

enum class Role { produce, consume };

/// Where the channels of a group stand in one axis of one tensor: channel c at the indices
/// offset + o·outer_stride + c·inner + i, for 0 ≤ o < outer and 0 ≤ i < inner.
struct Member {
  size_t state;        // index into Network::state
  std::string tensor;  // its name
  int64_t axis;
  Role role;
  int64_t offset, outer, outer_stride, inner;
};

/// Axes of tensors that must have one width.
struct Group {
  std::string name;  // after the module whose output it is: "layer1.0.conv1"
  int64_t width;
  std::optional<std::string> pinned;  // why it can't have another width
  std::vector<Member> members;
};

using GroupId = size_t;

/// A sum over channels whose quadrature no parameter can hold: all that scale what is summed serve something
/// else too (a tied embedding), or there are none. `weigh_sums` gives it a tensor of weights of its own.
struct UnweightedSum {
  size_t call, argument;
  std::optional<size_t> element;  // where the argument is a list of tensors
  int64_t axis;                   // of that tensor: what is summed over
  std::vector<GroupId> groups;    // those of the axis that lack weights, in ascending order
  /// A softmax is an average already: it needs weights only where they differ from channel to channel.
  SumKind kind;
  double power = 1;  // p of a norm
};

/// The groups of a network, and the structure of each axis of its state in terms of them.
class Groups {
 public:
  std::vector<Group> groups;
  /// axes[s][d]: axis d of state tensor s. Variables in it are group ids.
  std::vector<std::vector<Axis>> axes;
  /// consumed[s][d][t]: the groups that the network sums over in term t of the axis (a sum has a term for
  /// each of its parts, any other axis is one). Of a fused projection only the queries may be summed over.
  std::vector<std::vector<std::vector<std::set<GroupId>>>> consumed;
  /// by state: whether its values have bounds that interpolation must not leave (a running variance is never
  /// negative).
  std::vector<bool> bounded;
  /// Operators without a rule, and how many calls of each there are.
  std::map<std::string, int64_t> unknown_operators;
  /// Sums over groups that can be resized which no parameter weighs.
  std::vector<UnweightedSum> unweighted;
  /// What was changed in the network so that its groups can be resized, in sentences for the user.
  std::vector<std::string> notes;
  /// axes of every value, in terms of the same ids where those are groups, else of negative ids (batch, image
  /// sizes).
  std::vector<std::vector<Axis>> value_axes;
  /// The algebra's variable of each group, by which value_axes and sizes were made.
  std::vector<VariableId> variables;
  /// The symbol of Network::symbols by which sizes follow a group, for groups that need one.
  std::map<GroupId, SymbolId> group_symbols;

  Role role(size_t state, int64_t axis, size_t term, GroupId group) const;
  /// Returns the group named so. Throws std::invalid_argument with the nearest names.
  GroupId find(const std::string& name) const;
  /// Returns the groups whose names match any of the globs (`*`, `?`, `[…]`), pinned ones left out; all that
  /// can be resized where `patterns` is empty. Throws std::invalid_argument for a pattern that matches no
  /// group, or only pinned ones (why).
  std::vector<GroupId> select(const std::vector<std::string>& patterns) const;
};

/// Returns the size that `axis` (of `axes` or `value_axes`) has where group g has width `widths[g]`; what is
/// no group keeps its size.
int64_t size_at(const Axis& axis, const std::vector<int64_t>& widths);

/// A network with its groups; its sizes follow widths, batch and image size from now on.
struct AnalysedNetwork {
  Network network;
  Groups groups;
};

/// Finds the groups of `network`, and replaces sizes burned into its calls by what they stand for.
///
/// A weight that the network computes of parameters by dividing by a norm over channels that can be resized
/// (weight norm, spectral norm, standardized weights) becomes a parameter itself (`fold_weights`,
/// Groups::notes): what is left of a norm at another width is another norm.
///
/// Linear in the number of calls. Throws nothing for operators it does not know: what they touch is pinned,
/// by name. Throws std::invalid_argument, naming the call and its module, where the size of a tensor depends
/// on the data.
AnalysedNetwork analyse(Network network, const RuleTable& rules = RuleTable::standard());
/// The same of the network as it is written, with its own tensors: computed weights stay computed.
AnalysedNetwork analyse_as_written(Network network, const RuleTable& rules = RuleTable::standard());

}  // namespace inn
