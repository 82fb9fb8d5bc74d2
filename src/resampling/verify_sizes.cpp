#include "inn/resampling/verify_sizes.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <regex>
#include <set>

#include "inn/core/error.h"
#include "inn/dimension/groups.h"

namespace inn {
namespace {

using Outputs = std::vector<at::Tensor>;
using InputSizes = std::vector<std::vector<int64_t>>;

/// A size that is `factor` times a symbol.
struct SizeFormula {
  std::string symbol;
  int64_t factor;
};

std::optional<SizeFormula> size_formula(const std::string& formula) {
  static const std::regex symbol(R"(Symbol\('(\w+)'[^()]*\))"),
      multiple(R"(Mul\(Integer\((\d+)\), Symbol\('(\w+)'[^()]*\)\))");
  std::smatch match;
  if (std::regex_match(formula, match, symbol)) return SizeFormula{match[1], 1};
  if (std::regex_match(formula, match, multiple)) return SizeFormula{match[2], std::stoll(match[1])};
  return std::nullopt;
}

const std::vector<int64_t>& sizes_of(const Network& network, size_t input) {
  return network.values[network.inputs[input]].sizes;
}

/// Calls visit(input, axis, size) for every size that is dynamic.
template <class Visit>
void for_each_dynamic(const Network& network, Visit&& visit) {
  for (size_t i = 0; i < network.inputs.size(); ++i) {
    const auto& value = network.values[network.inputs[i]];
    for (size_t d = 0; d < value.formulas.size() && d < value.sizes.size(); ++d)
      if (const auto size = size_formula(value.formulas[d])) visit(i, d, *size);
  }
}

bool has_dynamic_size(const Network& network) {
  bool any = false;
  for_each_dynamic(network, [&](size_t, size_t, const SizeFormula&) { any = true; });
  return any;
}

/// True where axis 0 of an input is one with an axis of the state, whose size stays.
bool holds_batch(const Network& network) {
  const Groups groups = analyse(network).groups;
  bool any = false;
  for (const auto input : network.inputs)
    if (!groups.value_axes[input].empty())
      groups.value_axes[input][0].for_each_variable(
          [&](const AxisStructure& leaf) { any = any || leaf.variable >= 0; });
  return any;
}

/// The input sizes with symbols at `values`.
InputSizes sizes_at(const Network& network, const std::map<std::string, int64_t>& values) {
  InputSizes sizes;
  for (size_t i = 0; i < network.inputs.size(); ++i) sizes.push_back(sizes_of(network, i));
  for_each_dynamic(network, [&](size_t input, size_t axis, const SizeFormula& size) {
    if (const auto found = values.find(size.symbol); found != values.end())
      sizes[input][axis] = size.factor * found->second;
  });
  return sizes;
}

int64_t in_range(const Network& network, const std::string& symbol, int64_t value) {
  const auto range = network.ranges.find(symbol);
  if (range == network.ranges.end()) return value;
  if (range->second.maximum) value = std::min(value, *range->second.maximum);
  return std::max(value, range->second.minimum);
}

/// The size of axis 0 that all inputs share.
std::optional<int64_t> batch_of(const Network& network) {
  std::set<int64_t> batches;
  for (size_t i = 0; i < network.inputs.size(); ++i)
    batches.insert(sizes_of(network, i).empty() ? -1 : sizes_of(network, i)[0]);
  if (batches.size() != 1 || *batches.begin() < 1) return std::nullopt;
  return *batches.begin();
}

Outputs run(const Network& network, const std::vector<c10::IValue>& inputs) {
  Outputs floating;
  for (const auto& output : network.forward(inputs))
    if (output.isTensor() && (output.toTensor().is_floating_point() || output.toTensor().is_complex()))
      floating.push_back(output.toTensor());
  return floating;
}

std::string shapes_of(const Outputs& outputs) {
  std::string shapes;
  for (const auto& output : outputs)
    shapes += fmt::format("{}[{}]", shapes.empty() ? "" : ", ", fmt::join(output.sizes(), ", "));
  return shapes;
}

/// The greatest difference, relative to each output's largest number; infinite where sizes differ.
double difference(const Outputs& a, const Outputs& b) {
  double worst = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    if (a[k].numel() == 0) continue;
    const auto wide = b[k].is_complex() ? at::kComplexDouble : at::kDouble;
    const at::Tensor x = a[k].to(wide), y = b[k].to(wide);
    // What is infinite or not a number in both is equal.
    const at::Tensor apart = at::where(x.eq(y).logical_or(x.isnan().logical_and(y.isnan())),
                                       at::zeros({}, at::kDouble), (x - y).abs());
    const at::Tensor finite = at::where(y.isfinite(), y.abs(), at::zeros({}, at::kDouble));
    const double gap = apart.max().item<double>();
    worst = std::max(worst, std::isnan(gap) ? std::numeric_limits<double>::infinity()
                                            : gap / std::max(finite.max().item<double>(), 1e-30));
  }
  return worst;
}

/// Kernels of another batch size round otherwise; what is wrong differs in its first digits.
double tolerance(const Network& network) {
  bool is_half = false;
  for (const auto& entry : network.state)
    is_half = is_half || at::isReducedFloatingType(entry.tensor.scalar_type());
  return is_half ? 0.1 : 1e-3;
}

/// The samples [start, start + count) of the batch, from its begin again past its end.
std::vector<c10::IValue> samples(const std::vector<c10::IValue>& inputs, int64_t start, int64_t count) {
  std::vector<c10::IValue> taken;
  for (const auto& input : inputs) {
    const at::Tensor& all = input.toTensor();
    taken.emplace_back(all.index_select(0, at::arange(start, start + count).remainder(all.size(0))));
  }
  return taken;
}

/// The outputs of a batch, computed `count` samples at a time. Nothing where an output has no axis of samples,
/// or a sample's depends on the others.
std::optional<Outputs> by_samples(const Network& network, const std::vector<c10::IValue>& inputs,
                                  int64_t count) {
  const int64_t batch = inputs.at(0).toTensor().size(0);
  std::vector<std::vector<at::Tensor>> parts;
  for (int64_t start = 0; start < batch; start += count) {
    const auto outputs = run(network, samples(inputs, start, count));
    parts.resize(outputs.size());
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (outputs[k].dim() == 0 || outputs[k].size(0) != count) return std::nullopt;
      parts[k].push_back(outputs[k].narrow(0, 0, std::min(count, batch - start)));
    }
  }
  // The same first sample beside others.
  auto others = samples(inputs, batch - count, count);
  const auto first = samples(inputs, 0, 1);
  for (size_t i = 0; i < others.size(); ++i)
    others[i] = at::cat({first[i].toTensor(), others[i].toTensor().narrow(0, 1, count - 1)});
  const auto beside = run(network, others);
  Outputs all;
  for (size_t k = 0; k < parts.size(); ++k) {
    all.push_back(at::cat(parts[k]));
    if (difference({beside[k].narrow(0, 0, 1)}, {all[k].narrow(0, 0, 1)}) > tolerance(network))
      return std::nullopt;
  }
  return all;
}

class Comparison {
 public:
  Comparison(const Network& source, const Network& derived, const SizeVerificationOptions& options)
      : source_(source),
        derived_(derived),
        options_(options),
        batch_(batch_of(source)),
        is_static_(!has_dynamic_size(source)),
        holds_batch_(is_static_ && holds_batch(source)) {
    source_.set_training(false);
    derived_.set_training(false);
  }

  SizeVerification at(const InputSizes& sizes) {
    SizeVerification verification;
    for (size_t i = 0; i < sizes.size(); ++i)
      verification.inputs += fmt::format("{}{} [{}]", i > 0 ? ", " : "",
                                         source_.values[source_.inputs[i]].name, fmt::join(sizes[i], ", "));
    const auto inputs = random_inputs(source_, sizes, options_.seed);
    try {
      verification.skipped = expect(inputs);
    } catch (const std::exception& error) {
      verification.skipped = fmt::format("the source does not run at these sizes: {}", error.what());
    }
    if (!verification.skipped.empty()) return verification;
    try {
      compare(inputs, verification);
    } catch (const std::exception& error) {
      verification.failure = error.what();
    }
    return verification;
  }

 private:
  bool has_more_samples(const std::vector<c10::IValue>& inputs) const {
    return batch_ && inputs[0].toTensor().size(0) > *batch_ &&
           std::all_of(inputs.begin(), inputs.end(), [&](const c10::IValue& input) {
             return input.toTensor().size(0) == inputs[0].toTensor().size(0);
           });
  }

  /// Finds what the source gives; returns why it gives nothing. A static source is not run at another batch
  /// size: some kernels trust the sizes that are burned into their arguments.
  std::string expect(const std::vector<c10::IValue>& inputs) {
    if (is_static_) {
      if (holds_batch_) return "a tensor of the source has the size of the batch";
      auto found = by_samples(source_, inputs, *batch_);
      if (!found) return "the source is static, and a sample's outputs depend on the others";
      expected_ = std::move(*found);
    } else {
      expected_ = run(source_, inputs);
      if (difference(run(source_, inputs), expected_) > tolerance(source_))
        return "the source draws random numbers";
    }
    return "";
  }

  void compare(const std::vector<c10::IValue>& inputs, SizeVerification& verification) {
    const Outputs given = run(derived_, inputs);
    if (shapes_of(given) != shapes_of(expected_)) {
      verification.failure = fmt::format("with {} the outputs are {}, not {}", verification.inputs,
                                         shapes_of(given), shapes_of(expected_));
      return;
    }
    if (!options_.same_outputs) {
      if (!has_more_samples(inputs)) return;
      const auto source = by_samples(source_, inputs, *batch_);
      if (!source || difference(*source, expected_) > tolerance(source_)) return;
      const auto own = by_samples(derived_, inputs, *batch_);
      if (!own) {
        verification.failure = "a sample's outputs depend on the others, which the source's do not";
        return;
      }
      expected_ = *own;
    }
    verification.difference = difference(given, expected_);
    if (!(verification.difference <= tolerance(source_)))
      verification.failure =
          fmt::format("with {} the outputs differ by {:.2g}", verification.inputs, verification.difference);
  }

  Network source_, derived_;
  const SizeVerificationOptions& options_;
  std::optional<int64_t> batch_;
  bool is_static_, holds_batch_;
  Outputs expected_;
};

}  // namespace

std::vector<InputSizes> other_input_sizes(const Network& network) {
  std::map<std::string, int64_t> now, batch_sizes;
  for_each_dynamic(network, [&](size_t input, size_t axis, const SizeFormula& size) {
    const int64_t value = sizes_of(network, input)[axis] / size.factor;
    now.emplace(size.symbol, value);
    if (axis == 0) batch_sizes.emplace(size.symbol, value);
  });
  std::vector<InputSizes> all;
  if (now.empty()) {
    const auto batch = batch_of(network);
    if (!batch) return {};
    for (const int64_t other : {*batch + 1, 2 * *batch + 1}) {
      InputSizes sizes = sizes_at(network, {});
      for (auto& input : sizes) input[0] = other;
      all.push_back(std::move(sizes));
    }
    return all;
  }
  auto together = now;
  int64_t step = 2;
  for (auto& [symbol, value] : together) value = in_range(network, symbol, value + step++);
  for (const auto& [symbol, value] : now)
    all.push_back(sizes_at(network, {{symbol, in_range(network, symbol, value + 1)}}));
  all.push_back(sizes_at(network, together));
  // Inputs whose batches have symbols of their own may still need the same batch.
  for (auto& [symbol, value] : batch_sizes) value = in_range(network, symbol, value + 1);
  all.push_back(sizes_at(network, batch_sizes));
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::erase(all, sizes_at(network, {}));
  return all;
}

std::vector<c10::IValue> random_inputs(const Network& network, const InputSizes& sizes, uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  std::vector<c10::IValue> inputs;
  for (size_t i = 0; i < network.inputs.size(); ++i) {
    const auto& value = network.values[network.inputs[i]];
    require(value.kind == Value::Kind::tensor, "resampling",
            "Input '{}': must be a tensor; other example inputs cannot be generated.", value.name);
    if (c10::isFloatingType(value.dtype) || c10::isComplexType(value.dtype)) {
      inputs.emplace_back(at::randn(sizes.at(i), generator, at::TensorOptions(value.dtype)));
    } else {
      const int64_t count = c10::multiply_integers(sizes.at(i));
      inputs.emplace_back((1 - at::arange(count, at::kLong).remainder(2)).view(sizes[i]).to(value.dtype));
    }
  }
  return inputs;
}

std::vector<SizeVerification> verify_sizes(const Network& source, const Network& derived,
                                           const SizeVerificationOptions& options) {
  const at::NoGradGuard no_grad;
  Comparison comparison(source, derived, options);
  std::vector<SizeVerification> verifications;
  for (const auto& sizes : other_input_sizes(source)) verifications.push_back(comparison.at(sizes));
  return verifications;
}

}  // namespace inn
