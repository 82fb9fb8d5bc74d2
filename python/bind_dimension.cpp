// Groups of a network, and what is shown of them.

#include <set>

#include "bind.h"
#include "inn/cost/cost.h"
#include "inn/dimension/fraction_groups.h"
#include "inn/dimension/groups.h"
#include "inn/pruning/pruning.h"
#include "inn/report/network_drawing.h"
#include "inn/resampling/resized.h"
#include "inn/resampling/verify.h"

namespace inn::python {
namespace {

CostReport cost_at(const AnalysedNetwork& source, int64_t batch) {
  return cost_of(source.network, example_inputs(source.network, batch));
}

bool contains(const std::vector<AxisStructure>& axes, GroupId group) {
  bool found = false;
  for (const auto& axis : axes)
    axis.for_each_variable(
        [&](const AxisStructure& leaf) { found = found || leaf.variable == static_cast<VariableId>(group); });
  return found;
}

}  // namespace

std::vector<std::string> operators_of(const Network& network, const Groups& groups, GroupId group) {
  std::set<std::string> names;
  for (const auto& call : network.calls)
    for (const auto& result : call.results)
      for (const auto value : result.values)
        if (contains(groups.value_axes.at(static_cast<size_t>(value)), group)) names.insert(call.op);
  return {names.begin(), names.end()};
}

void bind_dimension(nb::module_& m) {
  nb::class_<Member>(m, "Member", "A dimension of a tensor that belongs to a group.")
      .def_ro("tensor", &Member::tensor, "The tensor's name.")
      .def_ro("axis", &Member::axis)
      .def_prop_ro(
          "role",
          [](const Member& member) { return member.role == MemberRole::produce ? "produce" : "consume"; })
      .def_ro("offset", &Member::offset)
      .def_ro("outer", &Member::outer)
      .def_ro("outer_stride", &Member::outer_stride)
      .def_ro("inner", &Member::inner);
  nb::class_<Group>(m, "Group", "A set of coupled dimensions, which must have the same width.")
      .def_ro("name", &Group::name)
      .def_ro("width", &Group::width)
      .def_ro("pinned", &Group::pinned, "Why it cannot be resized; None if it can.")
      .def_ro("positions", &Group::positions, "Whether its members are positional, not channels.")
      .def_ro("members", &Group::members);
  nb::class_<LayerCost>(m, "LayerCost")
      .def_ro("name", &LayerCost::name)
      .def_ro("type", &LayerCost::type)
      .def_ro("parameters", &LayerCost::parameters)
      .def_ro("macs", &LayerCost::macs)
      .def_ro("output_sizes", &LayerCost::output_sizes);
  nb::class_<CostReport>(m, "Cost", "Parameters, multiply-adds and memory of a network.")
      .def_ro("parameters", &CostReport::parameters)
      .def_ro("macs", &CostReport::macs)
      .def_prop_ro("peak_memory", [](const CostReport& cost) { return cost.peak_memory.bytes; })
      .def_ro("layers", &CostReport::layers);
  nb::class_<GroupVerification>(m, "GroupVerification", "The result of verifying one group.")
      .def_ro("name", &GroupVerification::name)
      .def_ro("width", &GroupVerification::width)
      .def_ro("permutation_error", &GroupVerification::permutation_error)
      .def_ro("widths", &GroupVerification::widths)
      .def_ro("failure", &GroupVerification::failure)
      .def_prop_ro("ok", &GroupVerification::ok);
  nb::class_<AnalysedNetwork>(m, "AnalysedNetwork", "A network with its groups.")
      .def(
          "__init__",
          [](AnalysedNetwork* self, const Network& network) {
            new (self) AnalysedNetwork(analyse(network, rules()));
          },
          nb::arg("network"), Unlocked())
      .def_ro("network", &AnalysedNetwork::network)
      .def_prop_ro("groups", [](const AnalysedNetwork& source) { return source.groups.groups; })
      .def_prop_ro("unknown_operators",
                   [](const AnalysedNetwork& source) { return source.groups.unknown_operators; })
      .def_prop_ro("notes", [](const AnalysedNetwork& source) { return source.groups.notes; })
      .def(
          "operators",
          [](const AnalysedNetwork& source, size_t group) {
            return operators_of(source.network, source.groups, group);
          },
          nb::arg("group"), "The operators whose results have this group's channels.")
      .def(
          "share_tensors",
          [](AnalysedNetwork& source, const std::map<std::string, at::Tensor>& tensors) {
            for (auto& entry : source.network.state)
              if (const auto found = tensors.find(entry.name);
                  found != tensors.end() && found->second.sizes() == entry.tensor.sizes())
                entry.tensor = found->second;
          },
          nb::arg("tensors"), "Uses these tensors, by name, where they have the sizes of the network's.")
      .def(
          "cut",
          [](const AnalysedNetwork& source, size_t group, const std::vector<int64_t>& kept) {
            return resample_with_groups(source, PrunePlan{.kept = {{group, kept}}}.maps(source.groups));
          },
          nb::arg("group"), nb::arg("kept"), Unlocked(),
          "Returns the network with these channels of one group, ascending, and its groups.")
      .def(
          "following",
          [](const AnalysedNetwork& source) {
            std::vector<std::string> names;
            for (const auto id : fraction_groups(source)) names.push_back(source.groups.groups[id].name);
            return names;
          },
          "The names of the groups that a fraction cuts by default.")
      .def(
          "verify",
          [](const AnalysedNetwork& source, uint64_t seed) { return verify_groups(source, {.seed = seed}); },
          nb::arg("seed") = 0, Unlocked())
      .def("cost", &cost_at, nb::arg("batch") = 1, Unlocked())
      .def(
          "draw",
          [](const AnalysedNetwork& source, const std::filesystem::path& path) {
            draw_network(path, source);
          },
          nb::arg("path"), Unlocked())
      .def(
          "svg", [](const AnalysedNetwork& source) { return network_svg(source); }, Unlocked(),
          "Returns the drawing, laid out by Graphviz.");
}

}  // namespace inn::python
