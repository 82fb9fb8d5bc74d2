#include "inn/network/training_arguments.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "inn/core/error.h"
#include "schema.h"

namespace inn {
namespace {

using nlohmann::json;
using Kind = TrainingArgument::Kind;

/// Among the extra files: by the name of a call's first result the values of its argument in both modes.
constexpr const char* kRecord = "training.json";

constexpr TrainingArgument kArguments[] = {
    {"aten::batch_norm", "training"},
    {"aten::native_batch_norm", "training"},
    {"aten::_native_batch_norm_legit", "training"},
    {"aten::_native_batch_norm_legit_functional", "training"},
    {"aten::_batch_norm_impl_index", "training"},
    {"aten::cudnn_batch_norm", "training"},
    {"aten::miopen_batch_norm", "training"},
    {"aten::instance_norm", "use_input_stats"},
    {"aten::dropout", "train"},
    {"aten::dropout_", "train"},
    {"aten::native_dropout", "train"},
    {"aten::alpha_dropout", "train"},
    {"aten::alpha_dropout_", "train"},
    {"aten::feature_dropout", "train"},
    {"aten::feature_dropout_", "train"},
    {"aten::feature_alpha_dropout", "train"},
    {"aten::feature_alpha_dropout_", "train"},
    {"aten::rrelu", "training"},
    {"aten::rrelu_", "training"},
    {"aten::rrelu_with_noise", "training"},
    {"aten::rrelu_with_noise_", "training"},
    {"aten::rrelu_with_noise_functional", "training"},
    {"aten::lstm", "train"},
    {"aten::gru", "train"},
    {"aten::rnn_tanh", "train"},
    {"aten::rnn_relu", "train"},
    {"aten::quantized_lstm", "train"},
    {"aten::quantized_gru", "train"},
    {"aten::mkldnn_rnn_layer", "train"},
    {"aten::_cudnn_rnn", "train"},
    {"aten::_cudnn_init_dropout_state", "train"},
    {"aten::miopen_rnn", "train"},
    {"aten::_lstm_mps", "train"},
    {"aten::scaled_dot_product_attention", "dropout_p", Kind::probability},
    {"aten::_scaled_dot_product_attention_math", "dropout_p", Kind::probability},
    {"aten::_scaled_dot_product_attention_math_for_mps", "dropout_p", Kind::probability},
    {"aten::_scaled_dot_product_flash_attention", "dropout_p", Kind::probability},
    {"aten::_scaled_dot_product_flash_attention_for_cpu", "dropout_p", Kind::probability},
    {"aten::_scaled_dot_product_efficient_attention", "dropout_p", Kind::probability},
    {"aten::_scaled_dot_product_cudnn_attention", "dropout_p", Kind::probability},
    {"aten::_scaled_dot_product_fused_attention_overrideable", "dropout_p", Kind::probability},
    {"aten::_fused_sdp_choice", "dropout_p", Kind::probability},
    {"aten::_flash_attention_forward", "dropout_p", Kind::probability},
    {"aten::_efficient_attention_forward", "dropout_p", Kind::probability},
    {"aten::_cudnn_attention_forward", "dropout_p", Kind::probability},
    {"aten::_triton_scaled_dot_attention", "dropout_p", Kind::probability},
};

/// A call's argument that follows the mode.
struct Place {
  const TrainingArgument* entry;
  Argument* argument;

  bool is_flag() const { return entry->kind == Kind::flag; }
  /// Whether it has its value of training. native_dropout takes none for true.
  bool is_on() const {
    if (argument->is_none()) return true;
    return is_flag() ? argument->constant().toBool() : argument->constant().toScalar().toDouble() > 0;
  }
};

std::optional<Argument*> find(Call& call, const c10::FunctionSchema& schema, std::string_view name) {
  const auto place = schema.argumentIndexWithName(std::string(name));
  if (!place) return {};
  return &call.arguments.at(static_cast<size_t>(*place));
}

bool is_value_of(const TrainingArgument& entry, const Argument& argument) {
  if (!argument.is_constant()) return false;
  const auto& value = argument.constant();
  return entry.kind == Kind::flag ? value.isBool() || value.isNone() : value.isDouble() || value.isInt();
}

/// Returns the call's argument that follows the mode, if it has one. A normalization without running
/// statistics uses the batch's in both modes.
std::optional<Place> place_of(Call& call) {
  const auto entry = std::find_if(std::begin(kArguments), std::end(kArguments),
                                  [&](const TrainingArgument& known) { return known.op == call.op; });
  if (entry == std::end(kArguments)) return {};
  const auto& schema = find_schema(call.op, call.overload);
  const auto argument = find(call, schema, entry->argument);
  if (!argument || !is_value_of(*entry, **argument)) return {};
  const auto statistics = find(call, schema, "running_mean");
  const bool normalizes = statistics || call.overload.starts_with("no_stats");
  if (normalizes && (!statistics || (*statistics)->is_none())) return {};
  return Place{entry, *argument};
}

/// Whether the call's value certainly follows the mode: it updates running statistics, or a module of torch.nn
/// makes the call.
bool follows_mode(Call& call) {
  return find(call, find_schema(call.op, call.overload), "running_mean") ||
         call.module_type.starts_with("torch.nn.") || call.module_type.starts_with("torch::nn::");
}

SourceMode mode_of(Network& network) {
  bool any_follows = false, follower_is_on = false, all_on = true;
  for (auto& call : network.calls) {
    const auto place = place_of(call);
    // A probability of 0 is that of evaluation, and of training without dropout.
    if (!place || (!place->is_flag() && !place->is_on())) continue;
    all_on = all_on && place->is_on();
    if (!follows_mode(call)) continue;
    any_follows = true;
    follower_is_on = follower_is_on || place->is_on();
  }
  return (any_follows ? follower_is_on : all_on) ? SourceMode::training : SourceMode::evaluation;
}

const std::string& name_of(const Network& network, const Call& call) {
  return network.values.at(static_cast<size_t>(call.results.at(0).values.at(0))).name;
}

json record_of(const Network& network) {
  const auto found = network.extra.find(kRecord);
  if (found == network.extra.end()) return json::object();
  json record = json::parse(found->second, nullptr, false);
  require<std::runtime_error>(record.is_object(), "network", "extra/{} is corrupt: must be a JSON object.",
                              kRecord);
  return record;
}

/// Returns the value of a call in one of the modes as the record has it.
c10::IValue recorded_value(const json& values, const char* mode, const Place& place,
                           const std::string& name) {
  const auto found = values.find(mode);
  const bool is_there = found != values.end();
  if (is_there && place.is_flag() && found->is_boolean()) return found->get<bool>();
  if (is_there && !place.is_flag() && found->is_number()) {
    const auto probability = found->get<double>();
    if (probability >= 0 && probability <= 1) return probability;
  }
  raise<std::runtime_error>("network", "extra/{} is corrupt: '{}' must have a {} for '{}'.", kRecord, name,
                            place.is_flag() ? "boolean" : "probability", mode);
}

}  // namespace

std::span<const TrainingArgument> training_arguments() { return kArguments; }

void keep_training_arguments(Network& network, SourceMode mode) {
  if (network.extra.contains(kRecord)) return;
  if (mode == SourceMode::unknown) mode = mode_of(network);
  const bool trains = mode == SourceMode::training;
  json record = json::object();
  for (auto& call : network.calls) {
    const auto place = place_of(call);
    if (!place) continue;
    const auto& name = name_of(network, call);
    if (place->is_flag()) {
      if (place->is_on() != trains)
        record[name] = {{"training", place->is_on()}, {"evaluation", place->is_on()}};
    } else if (place->is_on()) {
      const double probability = place->argument->constant().toScalar().toDouble();
      record[name] = {{"training", probability}, {"evaluation", trains ? 0 : probability}};
    }
  }
  if (!record.empty()) network.extra[kRecord] = record.dump();
}

void turn_off_dropout(Network& network) {
  keep_training_arguments(network);
  for (auto& call : network.calls)
    if (const auto place = place_of(call))
      *place->argument = place->is_flag() ? c10::IValue(false) : c10::IValue(0.0);
}

void Network::set_training(bool training) {
  keep_training_arguments(*this);
  const json record = record_of(*this);
  std::vector<std::pair<Argument*, c10::IValue>> changes;  // made once all are known to be sound
  for (auto& call : calls) {
    const auto place = place_of(call);
    if (!place) continue;
    const auto& name = name_of(*this, call);
    if (const auto values = record.find(name); values != record.end()) {
      changes.emplace_back(place->argument,
                           recorded_value(*values, training ? "training" : "evaluation", *place, name));
    } else if (place->is_flag()) {
      changes.emplace_back(place->argument, c10::IValue(training));
    }
  }
  for (auto& [argument, value] : changes) *argument = std::move(value);
}

}  // namespace inn
