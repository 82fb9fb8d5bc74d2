#pragma once
// Small networks written call by call, for tests.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/function_schema.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn::test {

/// Builds a network in float64, running each call as it is added, so that sizes are torch's own.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(uint64_t seed = 0) : generator_(at::detail::createCPUGenerator(seed)) {}

  /// What may stand as an argument: nothing (None), a value, a number, a flag, a word, a list of numbers or
  /// of values.
  struct Given {
    Argument argument;
    Given() = default;
    Given(ValueRef value) : argument(value) {}
    Given(int number) : argument(c10::IValue(static_cast<int64_t>(number))) {}
    Given(int64_t number) : argument(c10::IValue(number)) {}
    Given(double number) : argument(c10::IValue(number)) {}
    Given(bool flag) : argument(c10::IValue(flag)) {}
    Given(const char* word) : argument(c10::IValue(std::string(word))) {}
    Given(std::initializer_list<int> numbers)
        : argument(c10::IValue(std::vector<int64_t>(numbers.begin(), numbers.end()))) {
      if (numbers.size() == 0) argument = Argument();  // {} is None
    }
    Given(const std::vector<ValueRef>& values) : argument(Argument::List(values.begin(), values.end())) {}
  };

  ValueRef input(const std::string& name, std::vector<int64_t> sizes) {
    return input(name, at::randn(sizes, generator_, at::kDouble));
  }

  ValueRef input(const std::string& name, const at::Tensor& example) {
    const auto id = add(name, example);
    network_.inputs.push_back(id);
    network_.signature.argument_names.push_back(name);
    return {id};
  }

  ValueRef parameter(const std::string& name, std::vector<int64_t> sizes) {
    return state(name, at::randn(sizes, generator_, at::kDouble), StateEntry::Kind::parameter);
  }

  ValueRef state(const std::string& name, const at::Tensor& tensor, StateEntry::Kind kind) {
    const auto id = add("s_" + name, tensor);
    network_.state.push_back({.name = name, .kind = kind, .value = id, .tensor = tensor});
    return {id};
  }

  /// Adds a call with arguments in the schema's order; what is not given is the schema's default. Returns its
  /// results.
  std::vector<ValueRef> calls(const std::string& op, const std::string& overload, std::vector<Given> given) {
    const auto& schema = find_schema(op, overload);
    Call call{.op = op, .overload = overload};
    for (size_t a = 0; a < schema.arguments().size(); ++a) {
      if (a < given.size()) {
        call.arguments.push_back(given[a].argument);
      } else {
        call.arguments.emplace_back(schema.arguments()[a].default_value().value_or(c10::IValue()));
      }
    }
    const auto results = run(call, schema);
    std::vector<ValueRef> refs;
    for (const auto& result : results) {
      Call::Result slot;
      if (result.isTensorList()) {
        slot.is_list = true;
        for (const at::Tensor& tensor : result.toTensorVector())
          slot.values.push_back(add(fresh_name(op), tensor));
      } else {
        slot.values.push_back(add(fresh_name(op), result.toTensor()));
      }
      for (const auto id : slot.values) refs.push_back({id});
      call.results.push_back(std::move(slot));
    }
    network_.calls.push_back(std::move(call));
    return refs;
  }

  ValueRef call(const std::string& op, const std::string& overload, std::vector<Given> given) {
    return calls(op, overload, std::move(given)).at(0);
  }

  ValueRef batch_norm(const std::string& name, ValueRef x, int64_t channels) {
    const auto positive = [&] { return at::rand({channels}, generator_, at::kDouble) + 0.5; };
    const auto gain = state(name + ".weight", positive(), StateEntry::Kind::parameter);
    const auto bias = parameter(name + ".bias", {channels});
    const auto mean = state(name + ".running_mean", at::randn({channels}, generator_, at::kDouble),
                            StateEntry::Kind::buffer);
    const auto variance = state(name + ".running_var", positive(), StateEntry::Kind::buffer);
    return call("aten::batch_norm", "", {x, gain, bias, mean, variance, false, 0.1, 1e-5, false});
  }

  const std::vector<int64_t>& sizes(ValueRef value) const { return network_.values[value.id].sizes; }

  Network finish(ValueRef output) {
    network_.outputs = {Argument(output)};
    network_.validate();
    return network_;
  }

 private:
  /// Calls the operator on what the values are.
  std::vector<c10::IValue> run(const Call& call, const c10::FunctionSchema& schema) const {
    std::vector<c10::IValue> stack;
    for (size_t a = 0; a < call.arguments.size(); ++a) {
      const auto& argument = call.arguments[a];
      if (argument.is_value()) {
        stack.emplace_back(values_[argument.value()]);
      } else if (argument.is_list()) {
        std::vector<at::Tensor> tensors;
        for (const auto& item : argument.list()) tensors.push_back(values_[item.value()]);
        stack.emplace_back(tensors);
      } else if (argument.constant().isInt() &&
                 schema.arguments()[a].type()->kind() == c10::TypeKind::ListType) {
        stack.emplace_back(std::vector<int64_t>(static_cast<size_t>(schema.arguments()[a].N().value_or(1)),
                                                argument.constant().toInt()));
      } else {
        stack.push_back(argument.constant());
      }
    }
    c10::Dispatcher::singleton().findSchemaOrThrow(call.op.c_str(), call.overload.c_str()).callBoxed(stack);
    return stack;
  }

  ValueId add(const std::string& name, const at::Tensor& tensor) {
    values_.push_back(tensor);
    return network_.add_value({.name = name, .dtype = tensor.scalar_type(), .sizes = tensor.sizes().vec()});
  }

  std::string fresh_name(const std::string& op) {
    return op.substr(op.rfind(':') + 1) + "_" + std::to_string(values_.size());
  }

  Network network_;
  std::vector<at::Tensor> values_;
  at::Generator generator_;
};

}  // namespace inn::test
