// Operator rules that are written in Python.

#include <mutex>

#include "bind.h"
#include "inn/dimension/rule.h"
#include "inn/dimension/rule_equations.h"

namespace inn::python {
namespace {

/// The call that a rule is for, as Python has it: for the time of the rule.
struct PythonCall {
  RuleContext* context = nullptr;

  RuleContext& get() const {
    if (context == nullptr) throw std::runtime_error("a rule's call can be used within the rule only");
    return *context;
  }
};

std::mutex guard;

/// Rules by operator. It is never destroyed: at the program's end the interpreter goes first.
std::map<std::string, OperatorRule>& own_rules() {
  static auto* rules = new std::map<std::string, OperatorRule>;
  return *rules;
}

RuleTable with(const std::map<std::string, OperatorRule>& own) {
  RuleTable table = RuleTable::standard();
  for (const auto& [op, rule] : own) table.add(rule);
  return table;
}

void add_rule(const std::string& op, const std::string& doc, const nb::callable& function) {
  auto* kept = new nb::object(function);  // for the same reason
  OperatorRule rule{op, doc, [kept](RuleContext& context) {
                      const nb::gil_scoped_acquire locked;
                      auto call = std::make_shared<PythonCall>(PythonCall{&context});
                      struct Release {
                        PythonCall& call;
                        ~Release() { call.context = nullptr; }
                      } release{*call};
                      (*kept)(nb::cast(call));
                    }};
  const std::lock_guard lock(guard);
  auto rules = own_rules();
  rules[op] = std::move(rule);
  with(rules);  // refuses an operator that has a rule
  own_rules() = std::move(rules);
}

}  // namespace

RuleTable rules() {
  const std::lock_guard lock(guard);
  return with(own_rules());
}

void bind_rules(nb::module_& m) {
  using Axes = TensorAxes;
  m.def("add_rule", &add_rule, nb::arg("operator"), nb::arg("doc"), nb::arg("function"));
  nb::class_<AxisStructure>(m, "Axis", "An axis of a tensor: its size and what it depends on.")
      .def_ro("size", &AxisStructure::size);
  nb::class_<PythonCall>(m, "RuleCall",
                         "One call of an operator, for which a rule states equations between axes.")
      .def(
          "has", [](const PythonCall& c, const std::string& name) { return c.get().has(name); },
          nb::arg("name"), "Whether the argument is given and not None.")
      .def(
          "is_tensor", [](const PythonCall& c, const std::string& name) { return c.get().is_tensor(name); },
          nb::arg("name"))
      .def(
          "tensors", [](const PythonCall& c) { return c.get().tensor_arguments(); },
          "The names of the arguments that are single tensors, in order.")
      .def(
          "axes", [](const PythonCall& c, const std::string& name) { return c.get().axes(name); },
          nb::arg("name"), "The axes of a tensor argument.")
      .def(
          "list_axes", [](const PythonCall& c, const std::string& name) { return c.get().list_axes(name); },
          nb::arg("name"), "The axes of each tensor of a list argument.")
      .def(
          "integer",
          [](const PythonCall& c, const std::string& name, int64_t fallback) {
            return c.get().integer(name, fallback);
          },
          nb::arg("name"), nb::arg("fallback") = 0)
      .def(
          "number",
          [](const PythonCall& c, const std::string& name, double fallback) {
            return c.get().number(name, fallback);
          },
          nb::arg("name"), nb::arg("fallback") = 0.0)
      .def(
          "flag",
          [](const PythonCall& c, const std::string& name, bool fallback) {
            return c.get().flag(name, fallback);
          },
          nb::arg("name"), nb::arg("fallback") = false)
      .def(
          "integers", [](const PythonCall& c, const std::string& name) { return c.get().integers(name); },
          nb::arg("name"))
      .def(
          "result_sizes",
          [](const PythonCall& c, size_t index) {
            if (index >= c.get().result_count()) throw nb::index_error("the call has no such result");
            return c.get().result_sizes(index);
          },
          nb::arg("index") = 0, "The sizes of a result in the example run.")
      .def(
          "fresh", [](const PythonCall& c, int64_t size) { return c.get().fresh(size); }, nb::arg("size"),
          "A new axis that depends on nothing.")
      .def(
          "positions", [](const PythonCall& c, int64_t size) { return c.get().positions(size); },
          nb::arg("size"), "A new axis of positions, which has no channels.")
      .def(
          "unify",
          [](const PythonCall& c, const AxisStructure& a, const AxisStructure& b) { c.get().unify(a, b); },
          nb::arg("a"), nb::arg("b"), "States that two axes are the same.")
      .def(
          "unify", [](const PythonCall& c, const Axes& a, const Axes& b) { c.get().unify(a, b); },
          nb::arg("a"), nb::arg("b"))
      .def(
          "pin",
          [](const PythonCall& c, const AxisStructure& axis, const std::string& reason) {
            c.get().pin(axis, reason);
          },
          nb::arg("axis"), nb::arg("reason"), "States that an axis keeps its width, and why.")
      .def(
          "consume",
          [](const PythonCall& c, const std::string& name, int64_t axis) {
            c.get().consume(name, c.get().normalize(axis, c.get().axes(name).size()));
          },
          nb::arg("name"), nb::arg("axis"), "States that the call sums over an axis of an argument.")
      .def(
          "contract",
          [](const PythonCall& c, const std::vector<std::pair<std::string, int64_t>>& places) {
            std::vector<RuleContext::Place> named;
            for (const auto& [name, axis] : places)
              named.push_back({name, c.get().normalize(axis, c.get().axes(name).size())});
            c.get().contract(named);
          },
          nb::arg("places"),
          "States that the call sums the product of these (argument, axis) over a shared axis.")
      .def(
          "normalize_over",
          [](const PythonCall& c, const std::string& name, int64_t axis) {
            c.get().normalize_over(name, c.get().normalize(axis, c.get().axes(name).size()));
          },
          nb::arg("name"), nb::arg("axis"),
          "States that each slice of the result depends on all slices of the axis.")
      .def(
          "broadcast", [](const PythonCall& c) { rules::broadcast(c.get()); },
          "The whole rule of an elementwise operator: tensor arguments are broadcast against each other.")
      .def(
          "like_first", [](const PythonCall& c) { rules::like_first(c.get()); },
          "The whole rule of an activation: results have the axes of the first tensor.")
      .def(
          "set_result",
          [](const PythonCall& c, const Axes& axes, size_t index) {
            if (index >= c.get().result_count()) throw nb::index_error("the call has no such result");
            if (axes.size() != c.get().result_sizes(index).size())
              throw nb::value_error("set_result: the result has another number of axes");
            c.get().set_result(axes, index);
          },
          nb::arg("axes"), nb::arg("index") = 0,
          "Gives the axes of a result; a rule must give those of every one.");
}

}  // namespace inn::python
