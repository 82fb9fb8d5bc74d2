#include "open_sizes.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "inn/core/checked_integer.h"
#include "inn/core/error.h"

namespace inn::onnx::reading {
namespace {

/// The networks differ in something else than numbers.
struct NotOpen : std::exception {};

/// Numbers at every combination of the open sizes' example and its successor, as one polynomial: Σ_A c_A Π_{i∈A} n_i over sets A of
/// open sizes, given as bits; n_i counts units.
class Fit {
 public:
  Fit(const std::vector<OpenSize>& open, std::vector<int64_t> check)
      : open_(open), check_(std::move(check)) {}

  /// The coefficients; `numbers` are by the bits of the sizes that are one larger, and last at the checking sizes.
  std::vector<int64_t> coefficients(const std::vector<int64_t>& numbers) const {
    const size_t count = size_t{1} << open_.size();
    std::vector<int64_t> result(numbers.begin(), numbers.begin() + static_cast<int64_t>(count));
    for (size_t i = 0; i < open_.size(); ++i) {
      const size_t bit = size_t{1} << i;
      for (size_t set = 0; set < count; ++set) {
        if (set & bit) continue;
        // a + s · n through both numbers.
        const auto slope = checked_subtract(result[set | bit], result[set]);
        result[set] = checked_subtract(result[set], checked_multiply(slope, open_[i].units()));
        result[set | bit] = slope;
      }
    }
    if (value(result, check_) != numbers.back()) throw NotOpen();
    return result;
  }

 private:
  static int64_t value(const std::vector<int64_t>& coefficients, const std::vector<int64_t>& sizes) {
    int64_t sum = 0;
    for (size_t set = 0; set < coefficients.size(); ++set) {
      int64_t product = coefficients[set];
      for (size_t i = 0; i < sizes.size(); ++i)
        if (set >> i & 1) product = checked_multiply(product, sizes[i]);
      sum = checked_add(sum, product);
    }
    return sum;
  }

  const std::vector<OpenSize>& open_;
  std::vector<int64_t> check_;
};

class Opener {
 public:
  Opener(std::vector<Network> networks, const std::vector<OpenSize>& open, const std::vector<int64_t>& check)
      : networks_(std::move(networks)), open_(open), fit_(open, check) {}

  Network open() {
    Network& network = networks_[0];
    require_same(network);
    for (size_t v = 0; v < network.values.size(); ++v) open_value(v);
    for (size_t i = 0; i < open_.size(); ++i) add_size(i);
    for (size_t c = 0; c < network.calls.size(); ++c)
      for (size_t a = 0; a < network.calls[c].arguments.size(); ++a) {
        std::vector<const Argument*> same;
        for (const auto& each : networks_) same.push_back(&each.calls[c].arguments[a]);
        opened_[{c, a}] = argument(same);
      }
    for (auto& [place, argument] : opened_)
      network.calls[place.first].arguments[place.second] = std::move(argument);
    network.calls.insert(network.calls.begin(), numbers_.begin(), numbers_.end());
    for (size_t i = 0; i < open_.size(); ++i) network.ranges[symbol_name(i)] = {1, std::nullopt};
    return std::move(network);
  }

 private:
  static std::string symbol_name(size_t index) { return fmt::format("s{}", index); }

  void require_same(const Network& network) const {
    for (const auto& other : networks_) {
      bool same =
          other.calls.size() == network.calls.size() && other.values.size() == network.values.size() &&
          other.state.size() == network.state.size() && other.outputs.size() == network.outputs.size();
      for (size_t c = 0; same && c < network.calls.size(); ++c)
        same = other.calls[c].qualified_name() == network.calls[c].qualified_name() &&
               other.calls[c].arguments.size() == network.calls[c].arguments.size();
      for (size_t s = 0; same && s < network.state.size(); ++s) {
        const auto &a = network.state[s].tensor, &b = other.state[s].tensor;
        same = a.is_same(b) || a.data_ptr() == b.data_ptr() ||
               (a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() && at::equal(a, b));
      }
      if (!same) throw NotOpen();
    }
  }

  /// The first of the arguments, with expressions where the numbers differ.
  Argument argument(const std::vector<const Argument*>& same) {
    const auto& first = *same[0];
    for (const auto* other : same)
      if (other->content.index() != first.content.index()) throw NotOpen();
    if (first.is_value()) {
      for (const auto* other : same)
        if (other->value() != first.value()) throw NotOpen();
      return first;
    }
    if (first.is_list()) {
      Argument::List items;
      for (size_t i = 0; i < first.list().size(); ++i) {
        std::vector<const Argument*> inner;
        for (const auto* other : same) {
          if (other->list().size() != first.list().size()) throw NotOpen();
          inner.push_back(&other->list()[i]);
        }
        items.push_back(argument(inner));
      }
      return items;
    }
    const auto& constant = first.constant();
    if (std::all_of(same.begin(), same.end(),
                    [&](const auto* other) { return other->constant() == constant; }))
      return first;
    if (constant.isInt()) {
      std::vector<int64_t> numbers;
      for (const auto* other : same) {
        if (!other->constant().isInt()) throw NotOpen();
        numbers.push_back(other->constant().toInt());
      }
      return expression(numbers);
    }
    if (!constant.isIntList()) throw NotOpen();
    Argument::List items;
    for (size_t i = 0; i < constant.toIntVector().size(); ++i) {
      std::vector<int64_t> numbers;
      for (const auto* other : same) {
        if (!other->constant().isIntList() ||
            other->constant().toIntVector().size() != constant.toIntVector().size())
          throw NotOpen();
        numbers.push_back(other->constant().toIntVector()[i]);
      }
      items.push_back(expression(numbers));
    }
    return items;
  }

  /// The number as one that the network computes from the open sizes, if it depends on them.
  Argument expression(const std::vector<int64_t>& numbers) {
    const auto coefficients = fit_.coefficients(numbers);
    if (formula(coefficients).empty()) return c10::IValue(numbers[0]);
    if (const auto found = known_.find(coefficients); found != known_.end()) return ValueRef{found->second};
    // Σ_A c_A Π_{i∈A} n_i, term by term.
    std::optional<ValueId> sum;
    int64_t value = 0;
    std::vector<int64_t> so_far(coefficients.size(), 0);
    for (size_t set = coefficients.size(); set-- > 1;) {
      if (coefficients[set] == 0) continue;
      so_far[set] = coefficients[set];
      std::vector<int64_t> term(coefficients.size(), 0);
      term[set] = 1;
      std::optional<ValueId> product;
      int64_t size = 1;
      for (size_t i = 0; i < open_.size(); ++i) {
        if (!(set >> i & 1)) continue;
        size *= open_[i].units();
        product = product
                      ? add_number("aten::mul", ValueRef{*product}, ValueRef{sizes_[i]}, size, formula(term))
                      : sizes_[i];
      }
      term[set] = coefficients[set];
      size *= coefficients[set];
      if (coefficients[set] != 1)
        product =
            add_number("aten::mul", ValueRef{*product}, c10::IValue(coefficients[set]), size, formula(term));
      value += size;
      sum = sum ? add_number("aten::add", ValueRef{*sum}, ValueRef{*product}, value, formula(so_far))
                : *product;
    }
    if (coefficients[0] != 0)
      sum = add_number("aten::add", ValueRef{*sum}, c10::IValue(coefficients[0]), value + coefficients[0],
                       formula(coefficients));
    known_[coefficients] = *sum;
    return ValueRef{*sum};
  }

  /// The number of units of an open size.
  void add_size(size_t index) {
    const auto& size = open_[index];
    const auto& input = networks_[0].inputs[size.input];
    const auto& whole = networks_[0].values[static_cast<size_t>(input)].formulas[size.axis];
    auto id = add_number("aten::sym_size", ValueRef{input}, c10::IValue(static_cast<int64_t>(size.axis)),
                         size.example, whole);
    if (size.unit > 1)
      id = add_number("aten::floordiv", ValueRef{id}, c10::IValue(size.unit), size.units(),
                      fmt::format("Symbol('{}', positive=True, integer=True)", symbol_name(index)));
    sizes_.push_back(id);
  }

  ValueId add_number(const char* op, Argument first, Argument second, int64_t number,
                     const std::string& formula) {
    auto& network = networks_[0];
    const auto id = network.add_value({.name = fmt::format("size_{}", numbers_.size()),
                                       .kind = Value::Kind::integer,
                                       .dtype = c10::ScalarType::Long,
                                       .number = number,
                                       .formula = formula});
    Call call{op, "int", {std::move(first), std::move(second)}};
    call.results.push_back({false, {id}});
    numbers_.push_back(std::move(call));
    return id;
  }

  void open_value(size_t v) {
    auto& value = networks_[0].values[v];
    if (value.kind != Value::Kind::tensor) return;
    value.formulas.assign(value.sizes.size(), "");
    for (size_t axis = 0; axis < value.sizes.size(); ++axis) {
      std::vector<int64_t> numbers;
      for (const auto& each : networks_) {
        if (each.values[v].sizes.size() != value.sizes.size()) throw NotOpen();
        numbers.push_back(each.values[v].sizes[axis]);
      }
      value.formulas[axis] = formula(fit_.coefficients(numbers));
    }
  }

  /// As torch.export writes it (sympy), "" of a number.
  static std::string formula(const std::vector<int64_t>& coefficients) {
    std::vector<std::string> terms;
    for (size_t set = 0; set < coefficients.size(); ++set) {
      if (coefficients[set] == 0) continue;
      std::vector<std::string> factors;
      for (size_t i = 0; set >> i != 0; ++i)
        if (set >> i & 1)
          factors.push_back(fmt::format("Symbol('{}', positive=True, integer=True)", symbol_name(i)));
      if (factors.empty() || coefficients[set] != 1)
        factors.insert(factors.begin(), fmt::format("Integer({})", coefficients[set]));
      terms.push_back(factors.size() == 1 ? factors[0] : fmt::format("Mul({})", fmt::join(factors, ", ")));
    }
    const bool is_number =
        std::all_of(coefficients.begin() + 1, coefficients.end(), [](auto each) { return each == 0; });
    if (is_number) return "";
    return terms.size() == 1 ? terms[0] : fmt::format("Add({})", fmt::join(terms, ", "));
  }

  std::vector<Network> networks_;
  const std::vector<OpenSize>& open_;
  Fit fit_;
  std::map<std::pair<size_t, size_t>, Argument> opened_;
  std::vector<ValueId> sizes_;                     // the open sizes
  std::map<std::vector<int64_t>, ValueId> known_;  // by coefficients
  std::vector<Call> numbers_;                      // that compute them
};

}  // namespace

std::optional<Network> with_open_sizes(const NetworkAt& network_at, const std::vector<OpenSize>& open) {
  const auto at = [&](const std::vector<int64_t>& units) {
    std::vector<int64_t> sizes;
    for (size_t i = 0; i < open.size(); ++i) sizes.push_back(units[i] * open[i].unit);
    return network_at(sizes);
  };
  try {
    std::vector<Network> networks;
    for (size_t set = 0; set < size_t{1} << open.size(); ++set) {
      std::vector<int64_t> units;
      for (size_t i = 0; i < open.size(); ++i)
        units.push_back(open[i].units() + static_cast<int64_t>(set >> i & 1));
      networks.push_back(at(units));
    }
    // Sizes that have nothing in common with the others.
    std::vector<int64_t> check;
    for (size_t i = 0; i < open.size(); ++i)
      check.push_back(open[i].units() + 3 + 2 * static_cast<int64_t>(i));
    networks.push_back(at(check));
    return Opener(std::move(networks), open, check).open();
  } catch (const std::exception&) {  // NotOpen, or it does not run at other sizes
    return std::nullopt;
  }
}

}  // namespace inn::onnx::reading
