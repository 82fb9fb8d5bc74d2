#include "inn/dimension/quadrature_buffers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include "inn/core/error.h"
#include "inn/dimension/channel_places.h"

namespace inn {
namespace {

/// The axis as one of a state tensor: all parts that are not groups are numbers.
AxisStructure axis_of_state(const AxisStructure& axis) {
  if (axis.is_variable() && axis.variable < 0) return AxisStructure::of_constant(axis.size);
  AxisStructure result = axis;
  for (auto& part : result.parts) part = axis_of_state(part);
  if (axis.is_product()) return AxisStructure::of_product(std::move(result.parts));
  if (axis.is_sum()) return AxisStructure::of_sum(std::move(result.parts));
  return result;
}

class Weighing {
 public:
  explicit Weighing(AnalysedNetwork& source) : network_(source.network), groups_(source.groups) {
    for (const auto& value : network_.values) names_.insert(value.name);
    for (const auto& entry : network_.state) {
      names_.insert(entry.name);
      names_.insert(entry.aliases.begin(), entry.aliases.end());
    }
  }

  /// Returns the number of calls inserted before the call that sums.
  size_t weigh(const UnweightedSum& sum) {
    Argument& argument = network_.calls[sum.call].arguments[sum.argument];
    Argument& operand = sum.element ? argument.list().at(*sum.element) : argument;
    const ValueId value = operand.value();
    const AxisStructure axis = axis_of_state(groups_.value_axes[value].at(static_cast<size_t>(sum.axis)));
    const std::string module = network_.calls[sum.call].module;
    const ValueId weights = add_weights(sum, value, axis, module);
    std::vector<Call> calls;
    const ValueId weighed = add_calls(sum, value, weights, calls);
    operand = Argument(ValueRef{weighed});
    for (auto& call : calls) call.module = module;
    network_.calls.insert(network_.calls.begin() + static_cast<int64_t>(sum.call),
                          std::make_move_iterator(calls.begin()), std::make_move_iterator(calls.end()));
    return calls.size();
  }

 private:
  std::string unused(const std::string& name) {
    std::string unused = name;
    for (int k = 2; !names_.insert(unused).second; ++k) unused = fmt::format("{}_{}", name, k);
    return unused;
  }

  /// A buffer of ones, [n, 1, …]: it broadcasts along the operand's axis.
  ValueId add_weights(const UnweightedSum& sum, ValueId operand, const AxisStructure& axis,
                      const std::string& module) {
    const auto dtype = network_.values[operand].dtype;
    std::vector<int64_t> sizes(network_.values[operand].sizes.size() - static_cast<size_t>(sum.axis), 1);
    sizes[0] = axis.size;
    const auto device = network_.state.empty() ? c10::Device(c10::kCPU) : network_.state[0].tensor.device();
    StateEntry entry{.name = unused(module.empty() ? "quadrature" : module + ".quadrature"),
                     .kind = StateEntry::Kind::buffer,
                     .value = add_value("quadrature", dtype, sizes)};
    entry.tensor = at::ones(sizes, at::TensorOptions(dtype).device(device));
    groups_.notes.push_back(fmt::format(
        "Buffer '{}' has the quadrature weights of the sum over '{}' in {}, because no parameter can take "
        "them.",
        entry.name, groups_.groups[sum.groups.front()].name, network_.calls[sum.call].qualified_name()));
    add_members(entry, axis, {sum.groups.begin(), sum.groups.end()}, sizes.size());
    network_.state.push_back(std::move(entry));
    return network_.state.back().value;
  }

  void add_members(const StateEntry& entry, const AxisStructure& axis, const std::set<GroupId>& summed,
                   size_t rank) {
    const size_t state = network_.state.size();
    std::vector<AxisStructure> axes(rank, AxisStructure::of_constant(1));
    axes[0] = axis;
    groups_.value_axes[entry.value] = axes;
    std::vector<std::vector<std::set<GroupId>>> consumed(rank, {std::set<GroupId>{}});
    consumed[0].assign(axis.is_sum() ? axis.parts.size() : 1, summed);
    groups_.axes.push_back(std::move(axes));
    groups_.consumed.push_back(std::move(consumed));
    groups_.bounded.push_back(false);
    for_each_place(axis, {0, 1, axis.size, 1}, [&](const AxisStructure& leaf, const ChannelPlace& place) {
      const auto group = static_cast<GroupId>(leaf.variable);
      groups_.groups[group].members.push_back(
          {state, entry.name, 0, summed.contains(group) ? MemberRole::consume : MemberRole::produce,
           place.offset, place.outer, place.outer_stride, place.inner});
    });
  }

  ValueId add_value(const std::string& name, c10::ScalarType dtype, std::vector<int64_t> sizes) {
    Value value{.name = unused(name), .dtype = dtype, .sizes = std::move(sizes)};
    value.formulas.resize(value.sizes.size());
    groups_.value_axes.emplace_back();
    return network_.add_value(std::move(value));
  }

  ValueId add_like(ValueId like, const std::string& suffix) {
    Value value = network_.values[like];
    value.name = unused(value.name + suffix);
    const auto axes = groups_.value_axes[like];
    groups_.value_axes.push_back(axes);
    return network_.add_value(std::move(value));
  }

  static Call call(std::string op, std::string overload, std::vector<Argument> arguments, ValueId result) {
    return {.op = std::move(op),
            .overload = std::move(overload),
            .arguments = std::move(arguments),
            .results = {{.values = {result}}}};
  }

  /// The operand times the weights; times their p-th root; or plus their logarithm.
  ValueId add_calls(const UnweightedSum& sum, ValueId operand, ValueId weights, std::vector<Call>& calls) {
    const Argument one(c10::IValue(int64_t{1}));
    ValueId factor = weights;
    const bool is_logarithm = sum.kind == SumKind::logarithm || sum.kind == SumKind::softmax;
    if (sum.kind != SumKind::sum) factor = add_like(weights, is_logarithm ? "_log" : "_root");
    if (is_logarithm) calls.push_back(call("aten::log", "", {ValueRef{weights}}, factor));
    if (sum.kind == SumKind::norm)
      calls.push_back(call("aten::pow", "Tensor_Scalar",
                           {ValueRef{weights}, Argument(c10::IValue(1 / sum.power))}, factor));
    const ValueId weighed = add_like(operand, "_weighed");
    if (is_logarithm) {
      calls.push_back(call("aten::add", "Tensor", {ValueRef{operand}, ValueRef{factor}, one}, weighed));
    } else {
      calls.push_back(call("aten::mul", "Tensor", {ValueRef{operand}, ValueRef{factor}}, weighed));
    }
    return weighed;
  }

  Network& network_;
  Groups& groups_;
  std::set<std::string> names_;
};

}  // namespace

AnalysedNetwork add_quadrature_buffers(AnalysedNetwork source,
                                       const std::function<bool(const UnweightedSum&)>& is_chosen) {
  auto sums = std::move(source.groups.unweighted);
  source.groups.unweighted.clear();
  // From the last call to the first, so that the indices of earlier calls stay valid.
  std::stable_sort(sums.begin(), sums.end(),
                   [](const UnweightedSum& a, const UnweightedSum& b) { return a.call > b.call; });
  Weighing weighing(source);
  auto& left = source.groups.unweighted;
  size_t last = source.network.calls.size(), added = 0;  // the last call, and the calls inserted before it
  for (auto& sum : sums) {
    if (sum.call != last) added = 0;
    last = sum.call;
    sum.call += added;
    if (!is_chosen(sum)) {
      left.push_back(std::move(sum));
      continue;
    }
    const size_t more = weighing.weigh(sum);
    for (auto& other : left) other.call += other.call >= sum.call ? more : 0;
    added += more;
  }
  return source;
}

}  // namespace inn
