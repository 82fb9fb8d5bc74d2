#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "inn/network/eliminate_dead_code.h"
#include "inn/network/files.h"
#include "inn/network/functionalize.h"
#include "onnx/write/rules.h"

namespace inn {
namespace {

constexpr int64_t kLeastOpset = 18, kGreatestOpset = 23;
/// Protobuf's limit is 2 GB a message.
constexpr int64_t kMostBytesWithin = 1'000'000'000;

/// Operators that make a tensor of nothing but sizes.
constexpr std::string_view kCreators[] = {
    "aten::arange",     "aten::zeros",     "aten::ones",      "aten::full",         "aten::eye",
    "aten::new_zeros",  "aten::new_ones",  "aten::new_full",  "aten::linspace",     "aten::scalar_tensor",
    "aten::zeros_like", "aten::ones_like", "aten::full_like", "aten::tril_indices", "aten::triu_indices"};

bool has_fixed_sizes(const Value& value) {
  return value.kind == Value::Kind::tensor &&
         std::all_of(value.formulas.begin(), value.formulas.end(),
                     [](const auto& formula) { return formula.empty(); });
}

/// The tensors that calls compute from nothing but sizes and buffers (masks, tables of positions), by value.
std::map<ValueId, at::Tensor> constants_of(const Network& network) {
  std::set<ValueId> known;
  for (const auto& entry : network.state)
    if (entry.kind != StateEntry::Kind::parameter) known.insert(entry.value);
  std::set<ValueId> computed;
  for (const auto& call : network.calls) {
    const bool is_creator =
        std::find(std::begin(kCreators), std::end(kCreators), call.op) != std::end(kCreators);
    bool depends = false, reads = false;
    for (const auto& argument : call.arguments)
      argument.for_each_value([&](ValueId id) {
        reads = true;
        depends = depends || !known.contains(id);
      });
    const bool is_fixed = std::all_of(call.results.begin(), call.results.end(), [&](const auto& result) {
      return std::all_of(result.values.begin(), result.values.end(), [&](ValueId id) {
        return has_fixed_sizes(network.values[static_cast<size_t>(id)]);
      });
    });
    if (!is_fixed || (!is_creator && (depends || !reads))) continue;
    for (const auto& result : call.results)
      for (const auto id : result.values) {
        known.insert(id);
        computed.insert(id);
      }
  }
  std::map<ValueId, at::Tensor> constants;
  if (computed.empty()) return constants;
  const at::NoGradGuard no_grad;
  std::vector<c10::IValue> inputs;
  for (const auto input : network.inputs) {
    const auto& value = network.values[static_cast<size_t>(input)];
    if (value.kind == Value::Kind::tensor)
      inputs.emplace_back(at::zeros(value.sizes, at::TensorOptions(value.dtype)));
    else
      inputs.emplace_back(value.number);
  }
  network.forward(inputs, network.tensors(), {.observe = [&](ValueId id, const at::Tensor& tensor) {
                    if (computed.contains(id)) constants[id] = tensor.detach().clone();
                  }});
  return constants;
}

onnx::Model model_of(const Network& network, int64_t opset) {
  onnx::Emitter emitter(network, opset);
  const auto constants = constants_of(network);
  for (const auto& [value, tensor] : constants) emitter.bind(value, emitter.constant(tensor));
  for (const auto& call : network.calls) {
    if (std::all_of(call.results.begin(), call.results.end(), [&](const auto& result) {
          return std::all_of(result.values.begin(), result.values.end(),
                             [&](ValueId id) { return constants.contains(id); });
        }))
      continue;
    emitter.set_module(call.module);
    const onnx::CallView view(emitter, call);
    const auto names = onnx::rule_of(call)(emitter, view);
    size_t place = 0;
    for (const auto& result : call.results)
      for (const auto value : result.values)
        if (place < names.size()) emitter.bind(value, names[place++]);
  }
  return emitter.finish();
}

int64_t bytes_of(const onnx::Model& model) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : model.initializers) bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

}  // namespace

void write_onnx(const Network& given, const std::filesystem::path& path, const WriteOnnxOptions& options) {
  require(options.opset >= kLeastOpset && options.opset <= kGreatestOpset, "network",
          "ONNX: the opset must be in [{}, {}] but got {}.", kLeastOpset, kGreatestOpset, options.opset);
  given.validate();
  Network network = given;
  network.set_training(false);
  if (auto plain = functionalize(network, WrittenSlices::scattered)) network = std::move(*plain);
  eliminate_dead_code(network);
  const onnx::Model model = model_of(network, options.opset);
  if (bytes_of(model) <= kMostBytesWithin)
    return write_atomically(path, [&](std::ostream& stream) { onnx::write_model(model, stream); });
  // The weights are there before the model that refers to them.
  const auto weights = path.filename().string() + ".data";
  write_atomically(path, [&](std::ostream& stream) {
    write_atomically(path.parent_path() / weights,
                     [&](std::ostream& data) { onnx::write_model(model, stream, &data, weights); });
  });
}

void write_onnx(const Network& network, const std::filesystem::path& path) { write_onnx(network, path, {}); }

}  // namespace inn
