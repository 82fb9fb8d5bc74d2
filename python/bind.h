#pragma once
// What the bindings of the folders share.

#include <ATen/core/ivalue.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <vector>

#include "caster.h"
#include "inn/dimension/groups.h"
#include "inn/dimension/rule.h"

namespace nb = nanobind;

namespace inn::python {

/// Runs without the interpreter's lock, for calls that run tensors' operators.
using Unlocked = nb::call_guard<nb::gil_scoped_release>;

/// Returns tensors, numbers and None as the inputs of a network. Throws TypeError for anything else.
std::vector<c10::IValue> to_values(const nb::sequence& objects);
/// Returns the outputs of a network.
nb::list to_list(const std::vector<c10::IValue>& values);

/// Reads a .pt2 archive from bytes, named so in errors.
Network read_archive(const nb::bytes& archive, const std::string& name);
/// Returns a network as the bytes of a .pt2 archive.
nb::bytes archive_of(const Network& network);

/// Returns the names of the operators whose results have the group's channels.
std::vector<std::string> operators_of(const Network& network, const Groups& groups, GroupId group);

/// Returns the library's operator rules and those of Python.
RuleTable rules();

void bind_network(nb::module_& m);
void bind_rules(nb::module_& m);
void bind_dimension(nb::module_& m);
void bind_data(nb::module_& m);
void bind_quadrature(nb::module_& m);
void bind_ordering(nb::module_& m);
void bind_methods(nb::module_& m);
void bind_depth(nb::module_& m);
void bind_report(nb::module_& m);
void bind_model(nb::module_& m);

}  // namespace inn::python
