// Networks: reading, writing, running.

#include <sstream>

#include "bind.h"
#include "inn/model/any_model.h"
#include "inn/model/batch_norm.h"
#include "inn/network/files.h"
#include "inn/network/network.h"

namespace inn::python {
namespace {

/// For a value of neither kind that a network takes or returns.
[[noreturn]] void refuse(nb::handle object) {
  const auto name = nb::cast<std::string>(object.type().attr("__name__"));
  throw nb::type_error(("a network takes tensors, numbers and None but got " + name).c_str());
}

c10::IValue to_value(nb::handle object) {
  if (object.is_none()) return {};
  at::Tensor tensor;
  if (nb::try_cast(object, tensor)) return tensor;
  if (PyBool_Check(object.ptr())) return nb::cast<bool>(object);
  if (PyLong_Check(object.ptr())) return nb::cast<int64_t>(object);
  if (PyFloat_Check(object.ptr())) return nb::cast<double>(object);
  refuse(object);
}

nb::object to_object(const c10::IValue& value) {
  if (value.isTensor()) return nb::cast(value.toTensor());
  if (value.isBool()) return nb::cast(value.toBool());
  if (value.isInt()) return nb::cast(value.toInt());
  if (value.isDouble()) return nb::cast(value.toDouble());
  return nb::none();
}

const char* kind_name(StateEntry::Kind kind) {
  switch (kind) {
    case StateEntry::Kind::parameter:
      return "parameter";
    case StateEntry::Kind::buffer:
      return "buffer";
    case StateEntry::Kind::transient_buffer:
      return "transient_buffer";
    default:
      return "constant";
  }
}

}  // namespace

Network read_archive(const nb::bytes& archive, const std::string& name) {
  std::istringstream stream(std::string(archive.c_str(), archive.size()));
  const nb::gil_scoped_release unlocked;
  return read_pt2(stream, name);
}

nb::bytes archive_of(const Network& network) {
  std::ostringstream stream;
  {
    const nb::gil_scoped_release unlocked;
    write_pt2(network, stream, "the archive");
  }
  const auto text = stream.str();
  return nb::bytes(text.data(), text.size());
}

std::vector<c10::IValue> to_values(const nb::sequence& objects) {
  std::vector<c10::IValue> values;
  for (const auto object : objects) values.push_back(to_value(object));
  return values;
}

nb::list to_list(const std::vector<c10::IValue>& values) {
  nb::list list;
  for (const auto& value : values) list.append(to_object(value));
  return list;
}

void bind_network(nb::module_& m) {
  nb::class_<Network>(m, "Network", "A network as a list of operator calls over named tensors.")
      .def_static("from_archive", &read_archive, nb::arg("archive"), nb::arg("name") = "the exported program",
                  "Reads the bytes that torch.export.save writes.")
      .def_static(
          "read",
          [](const std::filesystem::path& path, const std::vector<at::Tensor>& examples) {
            return read_network(path, examples);
          },
          nb::arg("path"), nb::arg("examples") = std::vector<at::Tensor>{}, Unlocked(),
          "Reads a .pt2 archive, or a TorchScript file with one example for each input.")
      .def("archive", &archive_of, "Returns the network as the bytes of a .pt2 archive.")
      .def(
          "write",
          [](const Network& network, const std::filesystem::path& path) { write_pt2(network, path); },
          nb::arg("path"), Unlocked(), "Writes a .pt2 archive that torch.export.load reads.")
      .def(
          "write_onnx",
          [](const Network& network, const std::filesystem::path& path, int64_t opset) {
            write_onnx(network, path, {.opset = opset});
          },
          nb::arg("path"), nb::arg("opset"), Unlocked(), "Writes an ONNX model.")
      .def(
          "run",
          [](const Network& network, const nb::sequence& inputs) {
            const auto values = to_values(inputs);
            std::vector<c10::IValue> outputs;
            {
              const nb::gil_scoped_release unlocked;
              outputs = network.forward(values);
            }
            return to_list(outputs);
          },
          nb::arg("inputs"), "Runs the network on its inputs in order; returns its outputs in order.")
      .def("train", &Network::set_training, nb::arg("mode") = true)
      .def("fold_batch_norm", &fold_batch_norm, Unlocked(),
           "Returns the network with batch norms folded into the layers before them.")
      .def_prop_ro(
          "state",
          [](const Network& network) {
            nb::list entries;
            for (const auto& entry : network.state)
              entries.append(nb::make_tuple(entry.name, kind_name(entry.kind), entry.tensor, entry.aliases));
            return entries;
          },
          "(name, kind, tensor, other names) of each state tensor, in order.")
      .def_prop_ro("input_count", [](const Network& network) { return network.inputs.size(); })
      .def_prop_ro("out_spec", [](const Network& network) { return network.signature.out_spec; });
}

}  // namespace inn::python
