#include "emitter.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "inn/core/error.h"

namespace inn::onnx {

bool is_dynamic(const Value& value, size_t axis) {
  return axis < value.formulas.size() && !value.formulas[axis].empty();
}

Emitter::Emitter(const Network& network, int64_t opset) : network_(network), uses_(network) {
  model_.opset = opset;
  for (const auto input : network.inputs)
    names_[input] = fresh(network.values[static_cast<size_t>(input)].name);
  for (const auto& entry : network.state) names_[entry.value] = fresh(entry.name);
}

Name Emitter::fresh(const std::string& base) {
  const int64_t count = used_[base]++;
  return count == 0 ? base : fresh(fmt::format("{}_{}", base, count));
}

Name Emitter::add(const std::string& op, std::vector<Name> inputs, std::vector<Attribute> attributes) {
  return add_several(op, std::move(inputs), std::move(attributes), 1)[0];
}

std::vector<Name> Emitter::add_several(const std::string& op, std::vector<Name> inputs,
                                       std::vector<Attribute> attributes, size_t outputs) {
  while (!inputs.empty() && inputs.back().empty()) inputs.pop_back();
  Node node{.op = op, .inputs = std::move(inputs), .outputs = {}, .attributes = std::move(attributes)};
  node.name = fresh((module_.empty() ? "" : module_ + "/") + op);
  for (size_t k = 0; k < outputs; ++k) {
    node.outputs.push_back(fresh(node.name + "_output"));
    made_[node.outputs.back()] = {model_.nodes.size(), k};
  }
  model_.nodes.push_back(std::move(node));
  return model_.nodes.back().outputs;
}

Name Emitter::constant(const at::Tensor& tensor) {
  const Name name = fresh("constant");
  model_.initializers.emplace_back(name, tensor);
  return name;
}

Name Emitter::integers(std::vector<int64_t> numbers) {
  auto [found, is_new] = integers_.try_emplace(numbers);
  if (is_new) found->second = constant(at::tensor(numbers, at::kLong));
  return found->second;
}

Name Emitter::scalar(const c10::Scalar& number, c10::ScalarType type) {
  return constant(at::scalar_tensor(number, at::TensorOptions(type)));
}

Name Emitter::name_of(ValueId value) const {
  const auto found = names_.find(value);
  require<std::logic_error>(found != names_.end(), "network", "ONNX: value '{}' was not written.",
                            network_.values[static_cast<size_t>(value)].name);
  return found->second;
}

Name Emitter::transposed(ValueId matrix) {
  auto [found, is_new] = transposes_.try_emplace(matrix);
  if (!is_new) return found->second;
  const auto state = uses_.state_of(matrix);
  if (state && uses_.readers(matrix).size() == 1) {
    const Name name = fresh(name_of(matrix) + ".T");
    model_.initializers.emplace_back(name, network_.state[*state].tensor.detach().t().contiguous());
    return found->second = name;
  }
  return found->second = add("Transpose", {name_of(matrix)}, {{"perm", std::vector<int64_t>{1, 0}}});
}

void Emitter::bind(ValueId value, const Name& name) {
  const auto& wanted = network_.values[static_cast<size_t>(value)].name;
  const auto made = made_.find(name);
  if (made == made_.end() || used_.contains(wanted)) {
    names_[value] = name;
    return;
  }
  // The node's output takes the value's name; it may be read by the last nodes only.
  const auto [node, place] = made->second;
  model_.nodes[node].outputs[place] = wanted;
  for (size_t n = node + 1; n < model_.nodes.size(); ++n)
    std::replace(model_.nodes[n].inputs.begin(), model_.nodes[n].inputs.end(), name, wanted);
  made_.erase(made);
  used_[wanted] = 1;
  names_[value] = wanted;
}

Name Emitter::size_of(const Name& tensor, int64_t axis) {
  auto [found, is_new] = axis_sizes_.try_emplace({tensor, axis});
  if (is_new) found->second = add("Shape", {tensor}, {{"start", axis}, {"end", axis + 1}});
  return found->second;
}

std::optional<int64_t> Emitter::fixed_value(SymbolId symbol) const {
  const auto& its = network_.symbols[static_cast<size_t>(symbol)];
  if (!its.source) return its.value;
  const auto& value = network_.values[static_cast<size_t>(its.source->value)];
  const auto axis = static_cast<size_t>(its.source->axis);
  return is_dynamic(value, axis) ? std::nullopt : std::optional(value.sizes.at(axis));
}

std::optional<int64_t> Emitter::known_size(const Argument& argument) const {
  if (argument.is_constant() && argument.constant().isInt()) return argument.constant().toInt();
  if (!argument.is_size()) return {};
  int64_t sum = 0;
  for (const auto& term : argument.size().terms()) {
    int64_t product = term.coefficient;
    for (const auto symbol : term.symbols) {
      const auto number = fixed_value(symbol);
      if (!number) return {};
      product *= *number;
    }
    sum += product;
  }
  return sum;
}

Name Emitter::size(const Argument& argument) {
  if (const auto number = known_size(argument)) return integers({*number});
  if (argument.is_value()) return name_of(argument.value());
  require(argument.is_size(), "network", "ONNX: a size must be a number.");
  Name sum;
  for (const auto& term : argument.size().terms()) {
    int64_t known = term.coefficient;
    Name product;
    for (const auto symbol : term.symbols) {
      if (const auto number = fixed_value(symbol)) {
        known *= *number;
        continue;
      }
      const auto& source = *network_.symbols[static_cast<size_t>(symbol)].source;
      const Name size = size_of(name_of(source.value), source.axis);
      product = product.empty() ? size : add("Mul", {product, size});
    }
    if (product.empty())
      product = integers({known});
    else if (known != 1)
      product = add("Mul", {product, integers({known})});
    sum = sum.empty() ? product : add("Add", {sum, product});
  }
  return sum;
}

Name Emitter::sizes(const std::vector<Argument>& arguments) {
  std::vector<int64_t> numbers;
  for (const auto& argument : arguments)
    if (const auto number = known_size(argument)) numbers.push_back(*number);
  if (numbers.size() == arguments.size()) return integers(numbers);
  std::vector<Name> parts;
  for (const auto& argument : arguments) parts.push_back(size(argument));
  return parts.size() == 1 ? parts[0] : add("Concat", parts, {{"axis", int64_t{0}}});
}

std::string Emitter::symbol_of(ValueId value, size_t axis) const {
  for (const auto& symbol : network_.symbols)
    if (symbol.source && symbol.source->value == value && symbol.source->axis == static_cast<int64_t>(axis))
      return symbol.name;
  // "Symbol('s77', …)" and nothing around it.
  const auto& formula = network_.values[static_cast<size_t>(value)].formulas[axis];
  const auto begin = formula.find('\''), end = formula.find('\'', begin + 1);
  if (formula.starts_with("Symbol(") && end != std::string::npos)
    return formula.substr(begin + 1, end - begin - 1);
  return "";
}

std::vector<Dimension> Emitter::dimensions(ValueId value) const {
  const auto& its = network_.values[static_cast<size_t>(value)];
  std::vector<Dimension> result;
  for (size_t axis = 0; axis < its.sizes.size(); ++axis) {
    if (is_dynamic(its, axis))
      result.emplace_back(symbol_of(value, axis));
    else
      result.emplace_back(its.sizes[axis]);
  }
  return result;
}

ValueInfo Emitter::number_output(const Argument& output) {
  const auto is_integer = [&] {
    if (output.is_size()) return true;
    if (output.is_value())
      return network_.values[static_cast<size_t>(output.value())].kind == Value::Kind::integer;
    return output.is_constant() && output.constant().isInt();
  };
  if (is_integer()) return {add("Squeeze", {size(output), integers({0})}), at::kLong, {}};
  require(output.is_constant() && output.constant().isScalar(), "network",
          "ONNX: an output that is neither a tensor nor a number is not supported.");
  const auto number = output.constant().toScalar();
  return {add("Identity", {scalar(number, number.type())}), number.type(), {}};
}

Model Emitter::finish() {
  const auto info = [&](ValueId value, const Name& name) {
    return ValueInfo{name, network_.values[static_cast<size_t>(value)].dtype, dimensions(value)};
  };
  for (const auto input : network_.inputs) model_.inputs.push_back(info(input, name_of(input)));
  std::set<Name> made, outputs;
  for (const auto& node : model_.nodes) made.insert(node.outputs.begin(), node.outputs.end());
  for (const auto& output : network_.outputs) {
    if (output.is_none()) continue;
    if (!output.is_value() ||
        network_.values[static_cast<size_t>(output.value())].kind != Value::Kind::tensor) {
      model_.outputs.push_back(number_output(output));
      continue;
    }
    Name name = name_of(output.value());
    // An output has a node of its own.
    if (!made.contains(name)) name = add("Identity", {name});
    if (!outputs.insert(name).second) {
      name = add("Identity", {name});
      outputs.insert(name);
    }
    model_.outputs.push_back(info(output.value(), name));
  }
  std::set<Name> read;
  for (const auto& node : model_.nodes) read.insert(node.inputs.begin(), node.inputs.end());
  std::vector<std::pair<Name, at::Tensor>> weights;
  for (const auto& entry : network_.state)
    if (read.contains(names_.at(entry.value))) weights.emplace_back(names_.at(entry.value), entry.tensor);
  std::erase_if(model_.initializers, [&](const auto& entry) { return !read.contains(entry.first); });
  model_.initializers.insert(model_.initializers.begin(), weights.begin(), weights.end());
  return std::move(model_);
}

}  // namespace inn::onnx
