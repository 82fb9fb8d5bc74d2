// The description of a run, which a checkpoint must match.

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "inn/core/error.h"
#include "trainer.h"

namespace inn {
namespace {

using Description = std::map<std::string, std::string>;

/// A number that other bytes are unlikely to have.
class Checksum {
 public:
  void add(std::string_view bytes) { hash_ = hash_ * 31 + std::hash<std::string_view>()(bytes); }
  void add(const at::Tensor& tensor) {
    const auto bytes = tensor.detach().cpu().contiguous();
    add(std::string_view(static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes()));
  }
  std::string text() const { return fmt::format("{:016x}", hash_); }

 private:
  uint64_t hash_ = 0;
};

std::string checksum_of(const std::vector<std::string>& texts) {
  Checksum sum;
  for (const auto& text : texts) sum.add(text);
  return fmt::format("{} ({})", texts.size(), sum.text());
}

std::string checksum_of(const Network& network) {
  Checksum sum;
  for (const auto& entry : network.state) sum.add(entry.tensor);
  return sum.text();
}

/// Whether convolutions are laid out with their channels last, which sums in another order.
bool has_channels_last(const Network& network) {
  return std::any_of(network.state.begin(), network.state.end(), [](const StateEntry& entry) {
    return entry.tensor.dim() == 4 && !entry.tensor.is_contiguous() &&
           entry.tensor.is_contiguous(at::MemoryFormat::ChannelsLast);
  });
}

/// The calls: their operators and their numbers, whatever the mode and the device.
void describe_network(const Network& network, Description& run) {
  Network trained = network;
  trained.set_training(true);
  std::vector<std::string> calls;
  for (const auto& call : trained.calls) {
    std::ostringstream text;
    text << call.module << ' ' << call.qualified_name();
    for (const auto& argument : call.arguments)
      if (argument.is_constant() && !argument.constant().isDevice() && !argument.constant().isTensor())
        text << ' ' << argument.constant();
    calls.push_back(text.str());
  }
  run["calls of the network"] = checksum_of(calls);
}

/// At most this many samples, spread over the set, are looked at: reading all of a large set takes minutes.
constexpr int64_t kLookedAt = 64;

at::Tensor some_of(const at::Tensor& samples) {
  const int64_t step = (samples.size(0) + kLookedAt - 1) / kLookedAt;
  return samples.slice(0, 0, samples.size(0), std::max<int64_t>(1, step));
}

void describe_data(const Dataset& data, Description& run) {
  Checksum inputs, labels;
  if (data.inputs.defined()) inputs.add(some_of(data.inputs));
  for (int64_t k = 0; k < data.files.size(); ++k) {  // the folder may have moved
    const std::filesystem::path path = data.files[k];
    inputs.add((path.parent_path().filename() / path.filename()).string());
  }
  if (data.labels.defined()) labels.add(data.has_classes() ? data.labels : some_of(data.labels));
  run["inputs of the data set"] = inputs.text();
  run["labels of the data set"] = labels.text();
  run["classes of the data set"] = checksum_of(data.class_names);
}

/// The points of a group. Those that learn are in the checkpoint, those that are drawn no part of the run.
std::string grid_text(const Grid& grid) {
  if (!grid.parameters().empty()) return fmt::format("{} of {} points", grid.kind(), grid.size());
  Checksum points;
  points.add(grid.points());
  return fmt::format("{} of {} points ({})", grid.kind(), grid.size(), points.text());
}

void describe_axes(const IntegralModelImpl& model, Description& run) {
  run["order"] = model.options().order;
  std::vector<std::string> names;
  for (const auto& group : model.groups()) {
    run["kernel"] = group.kernel();
    run["quadrature"] = group.quadrature();
    run["grid"] = group.grid_family();
    names.push_back(group.name());
    if (!model.distribution() && !group.distribution())
      run[fmt::format("grid of group '{}'", group.name())] = grid_text(group.grid());
  }
  run["integral groups"] = checksum_of(names);
}

}  // namespace

std::map<std::string, std::string> Trainer::run_description() const {
  const auto text = [](const auto& value) { return fmt::format("{}", value); };
  const auto& normalization = batches_.options().normalization;
  std::map<std::string, std::string> run{
      {"epochs", text(options_.epochs)},
      {"batch_size", text(options_.batch_size)},
      {"optimizer", options_.optimizer},
      {"learning_rate", text(options_.learning_rate)},
      {"momentum", text(options_.momentum)},
      {"weight_decay", text(options_.weight_decay)},
      {"schedule", options_.schedule},
      {"warmup_epochs", text(options_.warmup_epochs)},
      {"loss", options_.loss},
      {"label_smoothing", text(options_.label_smoothing)},
      {"clip_norm", text(options_.clip_norm)},
      {"crop_padding", text(options_.augmentation.crop_padding)},
      {"flip", text(options_.augmentation.flip)},
      {"drop_last", text(options_.drop_last)},
      {"seed", text(options_.seed)},
      {"images", fmt::format("{}", fmt::join(batches_.dataset().sizes(), "x"))},
      {"mean", fmt::format("{}", fmt::join(normalization.mean, ","))},
      {"std", fmt::format("{}", fmt::join(normalization.std, ","))},
  };
  if (!options_.regularizer.empty())
    run["regularizer"] = fmt::format("{}:{}", options_.regularizer, options_.regularization);
  if (options_.ema > 0) run["ema"] = text(options_.ema);
  if (options_.bfloat16) run["bfloat16"] = text(options_.bfloat16);
  if (has_channels_last(model_.network())) run["channels_last"] = text(true);
  if (!options_.metric_name.empty()) run["metric"] = options_.metric_name;
  if (options_.keep_best) run["keep_best"] = text(options_.keep_best);
  if (const auto& taught = options_.distillation; taught.in_place || taught.source) {
    std::string teacher = taught.in_place ? "in-place" : "";
    if (taught.source)
      teacher += fmt::format("{}source {}", teacher.empty() ? "" : ", ", checksum_of(*taught.source));
    run["distillation"] = fmt::format("{}:{}:{}", teacher, taught.weight, taught.temperature);
  }
  if (options_.growing_penalty > 0) run["growing_penalty"] = text(options_.growing_penalty);
  if (options_.augmentation.random_resized_crop) run["random_resized_crop"] = text(true);
  if (const auto& frame = batches_.dataset().frame; frame.size > 0)
    run["resize"] = text(frame.shorter_side());
  describe_network(model_.network(), run);
  describe_data(batches_.dataset(), run);
  std::vector<std::string> learning;
  for (const auto& [name, parameter] : learning_) learning.push_back(name);
  run["trained parameters"] = checksum_of(learning);
  if (integral_ == nullptr) return run;
  describe_axes(*integral_, run);
  if (integral_->draws_widths()) run["widths_rule"] = options_.width_rule;
  if (integral_->distribution())
    run["widths"] = integral_->distribution()->text() +
                    (integral_->sharing() == FractionSharing::own ? " for each group" : "");
  for (const auto& group : integral_->groups())
    if (group.distribution()) run["widths of " + group.name()] = group.distribution()->text();
  return run;
}

}  // namespace inn
