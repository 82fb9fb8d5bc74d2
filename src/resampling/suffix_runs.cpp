#include "suffix_runs.h"

#include <algorithm>
#include <set>

#include "inn/core/error.h"
#include "inn/network/functionalize.h"
#include "inn/network/subgraph.h"
#include "inn/network/value_uses.h"

namespace inn {
namespace {

void add_symbols(const Argument& argument, std::set<SymbolId>& symbols) {
  if (argument.is_list())
    for (const auto& item : argument.list()) add_symbols(item, symbols);
  if (argument.is_size())
    for (const auto& term : argument.size().terms()) symbols.insert(term.symbols.begin(), term.symbols.end());
}

/// Returns the first call of every group that reads a member of it, or a size that depends on its width.
std::vector<size_t> first_calls(const Network& network, const Groups& groups) {
  const ValueUses uses(network);
  const auto first_reader = [&](ValueId value) {
    const auto& readers = uses.readers(value);
    return readers.empty() ? network.calls.size() : readers.front();
  };
  std::vector<size_t> first_of_symbol(network.symbols.size(), network.calls.size());
  for (size_t c = network.calls.size(); c-- > 0;) {
    std::set<SymbolId> symbols;
    for (const auto& argument : network.calls[c].arguments) add_symbols(argument, symbols);
    for (const auto symbol : symbols) first_of_symbol[symbol] = c;
  }
  std::vector<size_t> first;
  for (GroupId id = 0; id < groups.groups.size(); ++id) {
    size_t call = network.calls.size();
    std::set<ValueId> values;
    for (const auto& member : groups.groups[id].members) values.insert(network.state[member.state].value);
    for (const auto value : values) call = std::min(call, first_reader(value));
    if (const auto found = groups.group_symbols.find(id); found != groups.group_symbols.end())
      call = std::min(call, first_of_symbol[found->second]);
    for (size_t s = 0; s < network.symbols.size(); ++s)
      if (const auto& source = network.symbols[s].source; source && values.contains(source->value))
        call = std::min(call, first_of_symbol[s]);
    first.push_back(call);
  }
  return first;
}

}  // namespace

SuffixRuns::SuffixRuns(const AnalysedNetwork& source, std::vector<c10::IValue> inputs, Load load)
    : source_(source), load_(std::move(load)), held_(source.network.values.size()) {
  auto functional = functionalize(source.network);
  can_advance_ = functional.has_value();
  network_ = can_advance_ ? std::move(*functional) : source.network;
  held_.resize(network_.values.size());
  first_calls_ = first_calls(network_, source.groups);
  require(inputs.size() == network_.inputs.size(), "resampling", "The network has {} inputs but got {}.",
          network_.inputs.size(), inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) held_[network_.inputs[i]] = std::move(inputs[i]);
  for (const auto& output : network_.outputs)
    output.for_each_value([&](ValueId value) { outputs_.push_back(value); });
  suffix_ = part(outputs_, network_.calls.size());
}

Network SuffixRuns::part(const std::vector<ValueId>& wanted, size_t end) const {
  Network until;
  const Network* network = &network_;
  if (end < network_.calls.size()) {
    until = network_;
    until.calls.resize(end);
    network = &until;
  }
  return subgraph(*network, position_, wanted);
}

void SuffixRuns::advance(size_t position) {
  if (!can_advance_ || position <= position_) return;
  std::vector<bool> is_later(network_.values.size(), false);
  for (size_t c = position; c < network_.calls.size(); ++c)
    for (const auto& result : network_.calls[c].results)
      for (const auto value : result.values) is_later[value] = true;
  for (const auto& entry : network_.state) is_later[entry.value] = true;
  std::set<ValueId> live;
  const auto read = [&](ValueId value) {
    if (!is_later[value]) live.insert(value);
  };
  for (size_t c = position; c < network_.calls.size(); ++c)
    for (const auto& argument : network_.calls[c].arguments) argument.for_each_value(read);
  for (const auto value : outputs_) read(value);
  const std::vector<ValueId> wanted(live.begin(), live.end());
  auto values = run_part(part(wanted, position), {});
  held_.assign(held_.size(), std::nullopt);
  for (size_t k = 0; k < wanted.size(); ++k) held_[wanted[k]] = std::move(values[k]);
  position_ = position;
  suffix_ = part(outputs_, network_.calls.size());
}

std::vector<c10::IValue> SuffixRuns::run_part(const Network& part,
                                              const std::map<GroupId, GroupMaps>& maps) const {
  std::vector<c10::IValue> inputs;
  for (const auto value : part.inputs) inputs.push_back(held_[value].value());
  const auto symbols = symbol_values(source_.groups, network_, widths_of(maps));
  const auto load = [&](size_t s) { return apply_maps(source_.groups, s, load_(s), maps); };
  return part.forward(inputs, {}, {.symbol_values = symbols, .load = load});
}

std::vector<at::Tensor> SuffixRuns::run(const std::map<GroupId, GroupMaps>& maps) const {
  for (const auto& [group, map] : maps)
    require<std::logic_error>(first_calls_[group] >= position_, "resampling",
                              "Group '{}': its first call is before the position.",
                              source_.groups.groups[group].name);
  std::vector<at::Tensor> tensors;
  for (const auto& output : run_part(suffix_, maps))
    if (output.isTensor()) tensors.push_back(output.toTensor());
  return tensors;
}

}  // namespace inn
