#include "node_view.h"

#include <ATen/ATen.h>
#include <ATen/ScalarOps.h>

#include <algorithm>

#include "inn/core/error.h"
#include "interpreter.h"

namespace inn::onnx::reading {

std::string described(const Node& node) {
  return node.name.empty() ? fmt::format("Node '{}'", node.op)
                           : fmt::format("Node '{}' ({})", node.name, node.op);
}

int64_t NodeView::opset() const { return interpreter_.model_.opset; }

void NodeView::refuse(const std::string& why) const { raise("network", "{}: {}.", described(node_), why); }

void NodeView::require_all_read() const {
  for (const auto& attribute : node_.attributes)
    require_that(read_.contains(attribute.name),
                 fmt::format("attribute '{}' is not supported", attribute.name));
}

const Attribute* NodeView::find(const std::string& name) const {
  read_.insert(name);
  const auto found = std::find_if(node_.attributes.begin(), node_.attributes.end(),
                                  [&](const Attribute& attribute) { return attribute.name == name; });
  return found == node_.attributes.end() ? nullptr : &*found;
}

namespace {

/// The attribute's value as this type.
template <class T>
T value_of(const NodeView& node, const std::string& name, T missing) {
  const auto* attribute = node.find(name);
  if (attribute == nullptr) return missing;
  const auto* value = std::get_if<T>(&attribute->value);
  if (value == nullptr) node.refuse(fmt::format("attribute '{}' is of another type", name));
  return *value;
}

}  // namespace

int64_t NodeView::attribute(const std::string& name, int64_t missing) const {
  return value_of(*this, name, missing);
}
double NodeView::real(const std::string& name, double missing) const {
  return value_of(*this, name, missing);
}
std::string NodeView::text(const std::string& name, const std::string& missing) const {
  return value_of(*this, name, missing);
}
std::vector<int64_t> NodeView::attributes(const std::string& name, std::vector<int64_t> missing) const {
  return value_of(*this, name, std::move(missing));
}

at::Tensor NodeView::tensor(size_t input) {
  read_inputs_.insert(input);
  require_that(has(input), fmt::format("input {} is missing", input));
  const auto& name = node_.inputs[input];
  return interpreter_.tensor_of(name, interpreter_.item(name, node_));
}

std::optional<at::Scalar> NodeView::scalar(size_t input, int64_t other_rank) {
  const auto* known = constant(input);
  const bool is_number =
      known != nullptr && known->numel() == 1 && known->dim() <= std::min<int64_t>(other_rank, 1);
  if (!is_number || !interpreter_.is_recording_) return std::nullopt;
  return number_of(*known);
}

at::Tensor NodeView::operand(size_t input, int64_t other_rank) {
  const auto number = scalar(input, other_rank);
  return number ? at::native::wrapped_scalar_tensor(*number) : tensor(input);
}

int64_t NodeView::rank(size_t input) {
  read_inputs_.insert(input);
  require_that(has(input), fmt::format("input {} is missing", input));
  return interpreter_.item(node_.inputs[input], node_).tensor.dim();
}

std::vector<at::Tensor> NodeView::tensors() {
  std::vector<at::Tensor> all;
  for (size_t i = 0; i < input_count(); ++i) all.push_back(tensor(i));
  return all;
}

const at::Tensor* NodeView::constant(size_t input) {
  read_inputs_.insert(input);
  if (!has(input)) return nullptr;
  const auto& item = interpreter_.item(node_.inputs[input], node_);
  return item.is_constant ? &item.tensor : nullptr;
}

std::vector<int64_t> NodeView::integers(size_t input) {
  require_that(has(input), fmt::format("input {} is missing", input));
  const auto* known = constant(input);
  require_that(known != nullptr,
               fmt::format("input '{}' depends on the data of the network's input", node_.inputs[input]));
  require_that(known->dim() <= 1 && !known->is_floating_point(),
               fmt::format("input '{}' must be integers of one axis", node_.inputs[input]));
  const Recorder::Unrecorded pause(*interpreter_.recorder_);
  const auto numbers = known->to(at::kLong).contiguous();
  const auto* begin = numbers.const_data_ptr<int64_t>();
  return {begin, begin + numbers.numel()};
}

int64_t NodeView::integer(size_t input) {
  const auto numbers = integers(input);
  require_that(numbers.size() == 1, fmt::format("input '{}' must be one number", node_.inputs[input]));
  return numbers[0];
}

double NodeView::number(size_t input) {
  const auto* known = constant(input);
  require_that(known != nullptr && known->numel() == 1,
               fmt::format("input {} must be one number that does not depend on data", input));
  return number_of(*known).toDouble();
}

double NodeView::element(size_t input, int64_t place) {
  const auto* known = constant(input);
  require_that(known != nullptr && known->dim() == 1 && place < known->size(0),
               fmt::format("input {} must be numbers of one axis", input));
  const Recorder::Unrecorded pause(*interpreter_.recorder_);
  return (*known)[place].item<double>();
}

at::Scalar NodeView::number_of(const at::Tensor& constant) {
  const Recorder::Unrecorded pause(*interpreter_.recorder_);
  return constant.item();
}

std::vector<int64_t> NodeView::sizes(size_t input) {
  read_inputs_.insert(input);
  require_that(has(input), fmt::format("input {} is missing", input));
  return interpreter_.item(node_.inputs[input], node_).tensor.sizes().vec();
}

at::Tensor NodeView::unrecorded(const std::function<at::Tensor()>& compute) const {
  const Recorder::Unrecorded pause(*interpreter_.recorder_);
  return compute();
}

at::Tensor NodeView::derived(size_t input, const std::string& suffix,
                             const std::function<at::Tensor(const at::Tensor&)>& compute) {
  const auto* known = constant(input);
  require_that(known != nullptr, fmt::format("input {} must be a weight", input));
  const auto& of = node_.inputs[input];
  const auto& item = interpreter_.item(of, node_);
  // A matrix that was written transposed gets its own name back.
  constexpr std::string_view kTransposed = ".T";
  const bool was_transposed = suffix == kTransposed && of.ends_with(kTransposed);
  auto name = was_transposed ? of.substr(0, of.size() - kTransposed.size()) : of + suffix;
  while (interpreter_.items_.contains(name)) name += "_";  // the model has another tensor of that name
  const auto made = interpreter_.derived_.find({of, suffix});
  if (made != interpreter_.derived_.end()) return made->second;
  const auto tensor = unrecorded([&] { return compute(*known).contiguous(); });
  if (!interpreter_.is_recording_) return tensor;
  return interpreter_.derived_[{of, suffix}] = interpreter_.add_state(name, item, tensor);
}

bool NodeView::is_weight_of_products(size_t input) const {
  const auto found = interpreter_.readers_.find(node_.inputs[input]);
  if (found == interpreter_.readers_.end()) return false;
  return std::all_of(found->second.begin(), found->second.end(), [&](const Node* reader) {
    return reader->op == node_.op && reader->inputs.size() > input &&
           reader->inputs[input] == node_.inputs[input];
  });
}

int64_t axis_of(const NodeView& node, int64_t axis, int64_t rank) {
  node.require_that(axis >= -rank && axis < rank,
                    fmt::format("axis {} of a tensor with {} axes", axis, rank));
  return axis < 0 ? axis + rank : axis;
}

}  // namespace inn::onnx::reading
