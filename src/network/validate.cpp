#include <fmt/ranges.h>

#include "allowed_operators.h"
#include "inn/core/error.h"
#include "inn/network/network.h"
#include "schema.h"

namespace inn {
namespace {

/// Checks a network in order, with the values defined so far.
class Validation {
 public:
  explicit Validation(const Network& network)
      : network_(network), defined_(network.values.size()), bound_(network.symbols.size()) {
    for (size_t s = 0; s < network.symbols.size(); ++s) {
      const auto& symbol = network.symbols[s];
      bound_[s] = !symbol.source.has_value();
      if (!symbol.source) continue;
      const auto& value = value_at(symbol.source->value, "size symbol '" + symbol.name + "'");
      const auto rank = static_cast<int64_t>(value.sizes.size());
      symbols_of_.emplace(symbol.source->value, s);
      require(symbol.source->axis >= 0 && symbol.source->axis < rank, "network",
              "Size symbol '{}': value '{}' has {} axes but the symbol is its axis {}.", symbol.name,
              value.name, rank, symbol.source->axis);
    }
  }

  const Value& value_at(ValueId id, const std::string& who) const {
    require(id >= 0 && static_cast<size_t>(id) < network_.values.size(), "network", "{}: no value {} of {}.",
            who, id, network_.values.size());
    return network_.values[id];
  }

  void define(ValueId id, const std::string& who) {
    const auto& value = value_at(id, who);
    require(!defined_[id], "network", "{}: value '{}' is defined twice.", who, value.name);
    defined_[id] = true;
    for (auto [symbol, end] = symbols_of_.equal_range(id); symbol != end; ++symbol)
      bound_[symbol->second] = true;
  }

  void use(const Argument& argument, const std::string& who) const {
    if (argument.is_value()) {
      const auto& value = value_at(argument.value(), who);
      require(defined_[argument.value()], "network", "{}: value '{}' is used before it is defined.", who,
              value.name);
    }
    if (argument.is_list())
      for (const auto& item : argument.list()) use(item, who);
    if (!argument.is_size()) return;
    for (const auto& term : argument.size().terms())
      for (const auto symbol : term.symbols) {
        require(symbol >= 0 && static_cast<size_t>(symbol) < bound_.size(), "network",
                "{}: no size symbol {} of {}.", who, symbol, bound_.size());
        require(bound_[symbol], "network", "{}: size symbol '{}' is used before its value is known.", who,
                network_.symbols[symbol].name);
      }
  }

  void call(const Call& call) {
    const auto who = "Call '" + call.qualified_name() + "' in module '" + call.module + "'";
    const auto& schema = find_schema(call.op, call.overload);
    require(call.arguments.size() == schema.arguments().size(), "network",
            "{}: the schema has {} arguments but the call has {}.", who, schema.arguments().size(),
            call.arguments.size());
    require(call.results.size() == schema.returns().size(), "network",
            "{}: the schema has {} returns but the call has {}.", who, schema.returns().size(),
            call.results.size());
    for (size_t i = 0; i < call.arguments.size(); ++i) {
      const auto& place = schema.arguments()[i];
      const auto& argument = call.arguments[i];
      require(
          !argument.is_none() || is_optional(place.type()) || place.type()->kind() == c10::TypeKind::NoneType,
          "network", "{}: argument '{}' is missing.", who, place.name());
      require(!argument.is_list() || without_optional(place.type())->kind() == c10::TypeKind::ListType,
              "network", "{}: argument '{}' must be a single {} but is a list.", who, place.name(),
              place.type()->str());
      use(argument, who);
    }
    const auto refusal = refusal_of(call, schema);
    require(refusal.empty(), "network", "{}: {}.", who, refusal);
    for (size_t r = 0; r < call.results.size(); ++r) {
      const bool is_list = schema.returns()[r].type()->kind() == c10::TypeKind::ListType;
      require(call.results[r].is_list == is_list && (is_list || call.results[r].values.size() == 1),
              "network", "{}: result {} must be {} but has {} values.", who, r,
              is_list ? "a list" : "one value", call.results[r].values.size());
      for (const auto value : call.results[r].values) define(value, who);
    }
  }

 private:
  const Network& network_;
  std::vector<bool> defined_, bound_;
  std::unordered_multimap<ValueId, size_t> symbols_of_;  // the symbols that are an axis of the value
};

void validate_state(const Network& network) {
  std::map<std::string, size_t> owners;
  for (size_t i = 0; i < network.state.size(); ++i) {
    const auto& entry = network.state[i];
    require(entry.tensor.defined(), "network", "State tensor '{}' is not defined.", entry.name);
    const auto& sizes = network.values[entry.value].sizes;
    require(entry.tensor.sizes() == at::IntArrayRef(sizes), "network",
            "State tensor '{}': its value has sizes [{}] but the tensor has [{}].", entry.name,
            fmt::join(sizes, ", "), fmt::join(entry.tensor.sizes(), ", "));
    auto names = entry.aliases;
    names.push_back(entry.name);
    for (const auto& name : names)
      require(owners.emplace(name, i).second, "network", "State tensor '{}': two tensors have this name.",
              name);
  }
}

}  // namespace

void Network::validate() const {
  Validation validation(*this);
  for (const auto& entry : state) validation.define(entry.value, "State tensor '" + entry.name + "'");
  validate_state(*this);
  for (const auto input : inputs) validation.define(input, "The inputs");
  for (const auto& call : calls) validation.call(call);
  for (const auto& output : outputs) validation.use(output, "The outputs");
}

}  // namespace inn
