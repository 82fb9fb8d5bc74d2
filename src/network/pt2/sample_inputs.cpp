#include <ATen/ATen.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/pickler.h>

#include "failure.h"
#include "write_graph.h"
#include "write_signature.h"

namespace inn::pt2 {
namespace {

/// The leaves of the arguments in order: zeros for inputs, constants as they are.
std::vector<c10::IValue> sample_leaves(const Network& network) {
  std::vector<c10::IValue> leaves;
  for (const auto input : network.inputs) {
    const auto& value = network.values[input];
    if (value.kind == Value::Kind::tensor) {
      leaves.emplace_back(at::zeros(value.sizes, value.dtype));
    } else {
      leaves.emplace_back(value.number);
    }
  }
  for (const auto& constant : network.signature.constants) {
    const auto position = std::min(constant.position, leaves.size());
    leaves.insert(leaves.begin() + static_cast<std::ptrdiff_t>(position), constant.value);
  }
  return leaves;
}

/// Lays leaves out as a pytree specification says. Containers other than tuples, lists and dictionaries are
/// tuples.
c10::IValue laid_out(const Json& spec, const std::vector<c10::IValue>& leaves, size_t& next) {
  const auto& type = member(spec, "type");
  if (type.is_null()) {
    if (next >= leaves.size()) fail("in_spec has more arguments than the network has inputs");
    return leaves[next++];
  }
  std::vector<c10::IValue> children;
  for (const auto& child : array(member(spec, "children_spec")))
    children.push_back(laid_out(child, leaves, next));
  if (type == "builtins.dict") {
    const auto keys = parse_json(text(member(spec, "context")), "in_spec");
    c10::impl::GenericDict dictionary(c10::StringType::get(), c10::AnyType::get());
    for (size_t i = 0; i < children.size() && i < keys.size(); ++i)
      dictionary.insert(text(keys[i]), children[i]);
    return dictionary;
  }
  return c10::ivalue::Tuple::create(std::move(children));
}

/// Returns a torch.save archive of the value. torch::pickle_save would tag dictionaries with their type,
/// which Python then does not load without asking for trust.
std::string pickled(const c10::IValue& value) {
  std::string stream, archive;
  torch::jit::Pickler pickler([&](const char* data, size_t size) { stream.append(data, size); }, nullptr,
                              nullptr, nullptr, {}, /*tag_aggregates=*/false);
  pickler.protocol();
  pickler.pushIValue(value);
  pickler.stop();
  caffe2::serialize::PyTorchStreamWriter writer([&](const void* data, size_t size) {
    archive.append(static_cast<const char*>(data), size);
    return size;
  });
  writer.writeRecord("data.pkl", stream.data(), stream.size());
  for (size_t i = 0; i < pickler.tensorData().size(); ++i) {
    const auto data = torch::jit::getWriteableTensorData(pickler.tensorData()[i]);
    writer.writeRecord("data/" + std::to_string(i), data.data(), data.sizeInBytes());
  }
  writer.writeEndOfFile();
  return archive;
}

c10::IValue laid_out_samples(const Network& network) {
  const auto spec = parse_json(in_spec(network), "in_spec");
  if (array(spec).size() != 2) fail("in_spec is not of the form [1, specification]");
  size_t next = 0;
  return laid_out(spec[1], sample_leaves(network), next);
}

}  // namespace

std::string sample_inputs(const Network& network) { return pickled(laid_out_samples(network)); }

}  // namespace inn::pt2
