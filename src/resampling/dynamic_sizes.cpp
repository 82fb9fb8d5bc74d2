#include "dynamic_sizes.h"

#include <map>
#include <optional>
#include <string>

#include "inn/core/error.h"

namespace inn {
namespace {

/// A size in the example, and its formula where it is dynamic.
struct DynamicSize {
  int64_t value;
  std::string formula = {};

  std::string text() const { return formula.empty() ? fmt::format("Integer({})", value) : formula; }
};

DynamicSize combined(const char* operation, const DynamicSize& a, const DynamicSize& b, int64_t value) {
  if (a.formula.empty() && b.formula.empty()) return {value};
  return {value, fmt::format("{}({}, {})", operation, a.text(), b.text())};
}

DynamicSize product(const DynamicSize& a, const DynamicSize& b) {
  if (a.formula.empty() && a.value == 1) return b;
  if (b.formula.empty() && b.value == 1) return a;
  return combined("Mul", a, b, a.value * b.value);
}

DynamicSize sum(const DynamicSize& a, const DynamicSize& b) {
  if (a.formula.empty() && a.value == 0) return b;
  if (b.formula.empty() && b.value == 0) return a;
  return combined("Add", a, b, a.value + b.value);
}

class Sizes {
 public:
  Sizes(Network& network, const Groups& groups, const std::vector<int64_t>& widths)
      : network_(network), groups_(groups), widths_(widths) {
    for (const auto& symbol : network.symbols) symbols_.push_back(symbol.value);
    // The formula of a variable is that of an axis which is this variable alone.
    for (size_t v = 0; v < network.values.size(); ++v) {
      const auto& axes = groups.value_axes[v];
      const auto& formulas = network.values[v].formulas;
      for (size_t d = 0; d < axes.size() && d < formulas.size(); ++d)
        if (axes[d].is_variable() && !formulas[d].empty())
          formulas_.try_emplace(axes[d].variable, formulas[d]);
    }
  }

  void set() {
    for (size_t v = 0; v < network_.values.size(); ++v) set_axes(v);
    for (const auto& call : network_.calls) set_number(call);
  }

 private:
  void set_axes(size_t v) {
    auto& value = network_.values[v];
    const auto& axes = groups_.value_axes[v];
    for (size_t d = 0; d < axes.size() && d < value.sizes.size(); ++d) {
      const int64_t size = size_at(axes[d], widths_);
      if (size == value.sizes[d]) continue;
      value.sizes[d] = size;
      if (d < value.formulas.size() && !value.formulas[d].empty())
        value.formulas[d] = dynamic_size(axes[d]).formula;
    }
  }

  DynamicSize dynamic_size(const AxisStructure& axis) const {
    if (axis.is_constant()) return {axis.size};
    if (axis.is_variable()) {
      const auto found = formulas_.find(axis.variable);
      return {size_at(axis, widths_), found == formulas_.end() ? "" : found->second};
    }
    DynamicSize whole{axis.is_sum() ? 0 : 1};
    for (const auto& part : axis.parts)
      whole = axis.is_sum() ? sum(whole, dynamic_size(part)) : product(whole, dynamic_size(part));
    return whole;
  }

  DynamicSize dynamic_size(const Argument& argument) const {
    if (argument.is_size()) return {argument.size().evaluate(symbols_)};
    if (argument.is_value())
      return {network_.values[argument.value()].number, network_.values[argument.value()].formula};
    return {argument.constant().toInt()};
  }

  void set_number(const Call& call) {
    if (call.results.size() != 1 || call.results[0].values.size() != 1) return;
    auto& result = network_.values[call.results[0].values[0]];
    if (result.kind != Value::Kind::integer) return;
    const auto found = number_of(call);
    if (!found || found->value == result.number) return;
    result.number = found->value;
    result.formula = found->formula;
  }

  std::optional<DynamicSize> number_of(const Call& call) const {
    if (call.op == "aten::size" || call.op == "aten::sym_size") {
      const auto& tensor = network_.values[call.arguments.at(0).value()];
      const auto& along = call.arguments.at(1);
      if (!along.is_constant()) return std::nullopt;
      int64_t axis = along.constant().toInt();
      if (axis < 0) axis += static_cast<int64_t>(tensor.sizes.size());
      const auto d = static_cast<size_t>(axis);
      return DynamicSize{tensor.sizes.at(d), d < tensor.formulas.size() ? tensor.formulas[d] : ""};
    }
    if (call.overload != "int" || call.arguments.size() != 2) return std::nullopt;
    const auto a = dynamic_size(call.arguments[0]), b = dynamic_size(call.arguments[1]);
    if (a.value < 0 || b.value < 0) return std::nullopt;  // not known in the example
    if (call.op == "aten::mul") return product(a, b);
    if (call.op == "aten::add") return sum(a, b);
    if (call.op == "aten::sub") return sum(a, product({-1}, b));
    if (call.op == "aten::floordiv" && b.value > 0) return combined("FloorDiv", a, b, a.value / b.value);
    return std::nullopt;
  }

  Network& network_;
  const Groups& groups_;
  const std::vector<int64_t>& widths_;
  std::vector<int64_t> symbols_;
  std::map<VariableId, std::string> formulas_;
};

}  // namespace

void set_sizes(Network& network, const Groups& groups, const std::vector<int64_t>& widths) {
  Sizes(network, groups, widths).set();
}

}  // namespace inn
