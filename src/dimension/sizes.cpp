// Replaces constant sizes in calls by expressions in symbols.

#include <map>

#include "analysis.h"
#include "inn/core/error.h"

namespace inn {
namespace {

/// Creates the symbols that sizes need, each with the earliest axis of that size.
class SizeDerivation {
 public:
  SizeDerivation(const Analysis& analysis, Network& network, Groups& groups)
      : analysis_(analysis), network_(network), groups_(groups) {}

  void run() {
    find_sources();
    for (const auto& [call, replacement] : analysis_.replacements) network_.calls[call] = replacement;
    for (const auto& site : analysis_.sizes) needed_from(site);
    for (const auto& site : analysis_.sizes) rewrite(site);
    for (const auto& site : analysis_.constants)
      network_.calls[site.call].arguments[site.argument] = Argument(site.value);
    for (GroupId g = 0; g < groups_.groups.size(); ++g)
      if (const auto symbol = symbols_.find(groups_.variables[g]); symbol != symbols_.end())
        groups_.group_symbols[g] = symbol->second;
  }

 private:
  struct Found {
    SizeSymbol::Source source;
    int64_t position;  // the call that computes it; -1 for inputs and state
  };

  void note(ValueId id, int64_t position) {
    if (!analysis_.axes[id]) return;
    const auto& axes = *analysis_.axes[id];
    for (size_t d = 0; d < axes.size(); ++d) {
      const AxisStructure axis = analysis_.algebra.resolve(axes[d]);
      if (axis.is_variable())
        sources_.try_emplace(axis.variable, Found{{id, static_cast<int64_t>(d)}, position});
    }
  }

  void find_sources() {
    for (const auto input : network_.inputs) note(input, -1);
    for (const auto& entry : network_.state) note(entry.value, -1);
    for (size_t c = 0; c < network_.calls.size(); ++c)
      for (const auto& result : network_.calls[c].results)
        for (const auto id : result.values) note(id, static_cast<int64_t>(c));
  }

  /// A symbol has no source if the first axis of its size is made after a call that needs it: its value is
  /// then stored in the network.
  void needed_from(const Analysis::SizeSite& site) {
    analysis_.algebra.resolve(site.axis).for_each_variable([&](const AxisStructure& leaf) {
      const auto found = sources_.find(leaf.variable);
      if (found != sources_.end() && found->second.position >= static_cast<int64_t>(site.call))
        sources_.erase(found);
    });
  }

  SymbolId symbol_of(const AxisStructure& leaf) {
    const auto [found, is_new] =
        symbols_.try_emplace(leaf.variable, static_cast<SymbolId>(network_.symbols.size()));
    if (is_new) {
      SizeSymbol symbol{.name = fmt::format("s{}", leaf.variable), .value = leaf.size, .source = {}};
      if (const auto source = sources_.find(leaf.variable); source != sources_.end())
        symbol.source = source->second.source;
      network_.symbols.push_back(std::move(symbol));
    }
    return found->second;
  }

  /// Turns a constant list into a list of arguments, so that one element can follow a size.
  static void open_list(Argument& argument) {
    if (!argument.is_constant() || !argument.constant().isIntList()) return;
    Argument::List items;
    for (const auto number : argument.constant().toIntVector()) items.emplace_back(c10::IValue(number));
    argument = Argument(std::move(items));
  }

  void rewrite(const Analysis::SizeSite& site) {
    const AxisStructure axis = analysis_.algebra.resolve(site.axis);
    auto size = size_expression(axis, [&](const AxisStructure& leaf) { return symbol_of(leaf); });
    if (size.is_constant()) return;
    Argument& argument = network_.calls[site.call].arguments[site.argument];
    if (site.element) open_list(argument);
    // One integer may stand where a list of one is meant.
    Argument& place = site.element && argument.is_list() ? argument.list().at(*site.element) : argument;
    if (!place.is_constant() || !place.constant().isInt() || place.constant().toInt() < 0) return;
    place = Argument(std::move(size));
  }

  const Analysis& analysis_;
  Network& network_;
  Groups& groups_;
  std::map<VariableId, Found> sources_;
  std::map<VariableId, SymbolId> symbols_;
};

}  // namespace

SizeExpression size_expression(const AxisStructure& axis,
                               const std::function<SymbolId(const AxisStructure& variable)>& symbol_of) {
  if (axis.is_constant()) return SizeExpression::constant(axis.size);
  if (axis.is_variable()) return SizeExpression::symbol(symbol_of(axis));
  auto whole = SizeExpression::constant(axis.is_sum() ? 0 : 1);
  for (const auto& part : axis.parts) {
    const auto size = size_expression(part, symbol_of);
    whole = axis.is_sum() ? whole + size : whole * size;
  }
  return whole;
}

void freeze_sizes(Network& network) {
  std::vector<int64_t> now;
  for (const auto& symbol : network.symbols) now.push_back(symbol.value);
  for (auto& call : network.calls) {
    for (auto& argument : call.arguments) {
      if (argument.is_size()) argument = Argument(c10::IValue(argument.size().evaluate(now)));
      if (!argument.is_list()) continue;
      for (auto& item : argument.list())
        if (item.is_size()) item = Argument(c10::IValue(item.size().evaluate(now)));
    }
  }
  network.symbols.clear();
}

void derive_sizes(const Analysis& analysis, Network& network, Groups& groups) {
  SizeDerivation(analysis, network, groups).run();
}

}  // namespace inn
