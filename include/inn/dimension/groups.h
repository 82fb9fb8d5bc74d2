#pragma once
// The groups of a network: coupled dimensions.

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

enum class MemberRole { produce, consume };

/// A dimension of a tensor that belongs to a group. Channel c has the indices offset + o·outer_stride +
/// c·inner + i for 0 ≤ o < outer and 0 ≤ i < inner.
struct Member {
  size_t state;        // index into Network::state
  std::string tensor;  // its name
  int64_t axis;
  MemberRole role;
  int64_t offset, outer, outer_stride, inner;
};

/// A set of coupled dimensions, which must have the same width.
struct Group {
  std::string name;  // after the module whose output it is: "layer1.0.conv1"
  int64_t width;
  std::optional<std::string> pinned;  // why it cannot be resized
  std::vector<Member> members;
  /// All its members are positional: kernel positions, tables of indices, unused tensors. Always pinned.
  bool positions = false;
};

using GroupId = size_t;

/// A sum over channels whose quadrature weights cannot be applied to a parameter: those that scale the
/// summands are also used elsewhere (a tied embedding), or there are none. `add_quadrature_buffers` adds a tensor of
/// weights for it.
struct UnweightedSum {
  size_t call, argument;
  std::optional<size_t> element;  // if the argument is a list of tensors
  int64_t axis;                   // of that tensor: what is summed over
  std::vector<GroupId> groups;    // those of the axis without weights, ascending
  /// A softmax already averages: it requires weights only if they differ between channels.
  SumKind kind;
  double power = 1;  // p of a norm
};

/// The groups of a network, and the structure of each axis of its state in terms of them.
class Groups {
 public:
  /// Every axis of every state tensor with more than one position belongs to groups of this list, resizable
  /// or pinned; positional ones are last.
  std::vector<Group> groups;
  /// axes[s][d]: axis d of state tensor s. Variables in it are group ids.
  std::vector<std::vector<AxisStructure>> axes;
  /// consumed[s][d][t]: the groups that the network sums over in term t of the axis (a sum has one term per
  /// part, any other axis is one term). In a fused projection only the queries may be summed over.
  std::vector<std::vector<std::vector<std::set<GroupId>>>> consumed;
  /// by state tensor: whether sampled values are clamped to the range of the source (a running variance is
  /// never negative).
  std::vector<bool> bounded;
  /// Operators without a rule, with their numbers of calls.
  std::map<std::string, int64_t> unknown_operators;
  /// Sums over resizable groups to which no parameter can apply quadrature weights.
  std::vector<UnweightedSum> unweighted;
  /// Changes made to the network so that its groups can be resized, as messages for the user.
  std::vector<std::string> notes;
  /// axes of every value, with the same ids for groups and negative ids for other variables (batch, image
  /// sizes).
  std::vector<std::vector<AxisStructure>> value_axes;
  /// The algebra's variable of each group, used in value_axes and sizes.
  std::vector<VariableId> variables;
  /// The symbol in Network::symbols through which sizes depend on a group, if it has one.
  std::map<GroupId, SymbolId> group_symbols;

  MemberRole role(size_t state, int64_t axis, size_t term, GroupId group) const;
  /// Returns the group with that name. Throws std::invalid_argument with the nearest names.
  GroupId find(const std::string& name) const;
  /// Returns the resizable groups whose names match any of the globs (`*`, `?`, `[…]`); all resizable groups
  /// if `patterns` is empty. Throws std::invalid_argument for a pattern that matches no group or only pinned
  /// ones (with the reason).
  std::vector<GroupId> select(const std::vector<std::string>& patterns) const;
};

/// Returns the size of `axis` (of `axes` or `value_axes`) if group g has width `widths[g]`; other variables
/// keep their size.
int64_t size_at(const AxisStructure& axis, const std::vector<int64_t>& widths);

/// A network with its groups; its sizes are expressions in widths, batch and image size.
struct AnalysedNetwork {
  Network network;
  Groups groups;
};

/// Finds the groups of `network`, and replaces constant sizes in its calls by expressions.
///
/// A weight that is computed from parameters and normalized over resizable channels (weight norm, spectral norm,
/// standardized weights) is replaced by a parameter that holds its value (`fold_weights`, Groups::notes),
/// because the norm changes with the number of channels.
///
/// Linear in the number of calls. Dimensions touched by an operator without a rule are pinned and the
/// operator is listed. Throws std::invalid_argument naming the call and its module if the size of a tensor
/// depends on the data.
AnalysedNetwork analyse(Network network, const RuleTable& rules = RuleTable::standard());
/// The same of the network as it is written, with its own tensors: computed weights stay computed.
AnalysedNetwork analyse_as_written(Network network, const RuleTable& rules = RuleTable::standard());

}  // namespace inn
