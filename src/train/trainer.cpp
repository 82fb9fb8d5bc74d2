#include "trainer.h"
#include "event_file.h"

#include <ATen/ATen.h>
#include <torch/nn/utils/clip_grad.h>

#include <chrono>
#include <cmath>

#include "inn/core/error.h"
#include "inn/core/interrupt.h"
#include "inn/core/progress.h"
#include "inn/core/ranks.h"
#include "inn/pruning/importance.h"
#include "inn/pruning/regularization.h"
#include "inn/train/evaluate.h"
#include "inn/train/scores.h"

namespace inn {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

BatchOptions batch_options(const TrainOptions& options, const Normalization& normalization) {
  return {.batch_size = options.batch_size,
          .shuffle = true,
          .seed = options.seed,
          .augmentation = options.augmentation,
          .drop_last = options.drop_last,
          .normalization = normalization,
          .rank = ranks().rank,
          .ranks = ranks().count};
}

/// Whether any rank was interrupted: all stop at the same step.
bool any_interrupted() {
  int64_t count = interrupted();
  sum_over_ranks(count);
  return count > 0;
}

}  // namespace

Trainer::Trainer(NetworkModuleImpl& model, const Dataset& data, const Normalization& normalization,
                 const TrainOptions& options)
    : model_(model),
      integral_(dynamic_cast<IntegralModelImpl*>(&model)),
      batches_(data, batch_options(options, normalization)),
      options_(options),
      objective_(model, options, count_classes(data, "Training")),
      optimizer_entry_(find_optimizer(options.optimizer)),
      place_(input_options(model.network())),
      weights_learn_(false) {
  std::vector<at::Tensor> decayed, plain;
  for (const auto& parameter : model_.named_parameters()) {
    if (!parameter.value().requires_grad()) continue;
    learning_.emplace(parameter.key(), parameter.value());
    (parameter.value().dim() > 1 ? decayed : plain).push_back(parameter.value());
  }
  require(!learning_.empty(), "train", "The model has no parameter that requires gradients.");
  for (const auto& entry : model_.network().state) weights_learn_ |= entry.tensor.requires_grad();
  optimizer_ = optimizer_entry_.make(decayed, plain, options);
  state_.run = run_description();
  if (options_.ema > 0) average_.emplace(model_tensors(), options_.ema);
  if (!options_.regularizer.empty() || options_.growing_penalty > 0) regularized_ = regularized_network();
  if (options_.growing_penalty > 0)
    growing_.emplace(*regularized_, regularized_->groups.select({}),
                     GrowingPenalty::Options{.step = options_.growing_penalty});
}

std::shared_ptr<const AnalysedNetwork> Trainer::regularized_network() const {
  // An integral model's own is shared: it lives as long as the model, which outlives the run.
  if (integral_ != nullptr) return {std::shared_ptr<void>(), &integral_->source()};
  const auto& rules = options_.rules;
  return std::make_shared<const AnalysedNetwork>(
      analyse_as_written(model_.network(), rules ? *rules : RuleTable::standard()));
}

TrainResult Trainer::run() {
  if (integral_ != nullptr) integral_->seed(options_.seed);
  if (options_.resume && !options_.checkpoint.empty() && std::filesystem::exists(options_.checkpoint))
    resume();
  begin_logs();
  save();
  TrainResult result;
  while (!result.interrupted && state_.epoch < options_.epochs && !out_of_patience())
    result.interrupted = !run_epoch() || any_interrupted();
  if (!result.interrupted) {
    take_result();
    recalibrate_source();
  }
  result.epochs = state_.records;
  if (const auto* best = best_record()) result.best_metric = best->metric;
  return result;
}

bool Trainer::run_epoch() {
  model_.train(weights_learn_);
  if (state_.batch == 0) grow_penalty();
  const Epoch epoch = batches_.epoch(state_.epoch);
  const auto start = Clock::now();
  const double before = state_.seconds;
  Progress progress({.label = fmt::format("epoch {}/{}", state_.epoch + 1, options_.epochs),
                     .total = batches_.dataset().size(),
                     .unit = "samples",
                     .done = std::min(state_.batch * options_.batch_size, batches_.dataset().size()),
                     .descriptor = options_.progress && ranks().rank == 0 ? 2 : -1});
  while (state_.batch < epoch.size()) {
    const Batch batch = epoch[state_.batch];
    step(batch);
    ++state_.batch;
    state_.seconds = before + seconds_since(start);
    const int64_t count = batch.inputs.size(0) * ranks().count;
    if (progress.due()) {
      auto text = fmt::format("loss {:.4f}",
                              state_.loss_sum / static_cast<double>(std::max<int64_t>(1, state_.seen)));
      if (const auto share = accuracy()) text += fmt::format(" accuracy {:.4f}", *share);
      progress.advance(count, text);
    } else {
      progress.advance(count);
    }
    if (state_.batch == epoch.size()) break;
    const bool stopping = any_interrupted();
    if (stopping || (options_.checkpoint_interval > 0 && state_.batch % options_.checkpoint_interval == 0)) {
      require_finite_weights();
      save();
    }
    if (stopping) return false;
  }
  finish_epoch();
  return true;
}

void Trainer::step(const Batch& batch) {
  const int64_t steps = options_.epochs * batches_.size();
  const double rate = learning_rate_at(state_.epoch * batches_.size() + state_.batch, steps, options_);
  for (auto& group : optimizer_->param_groups()) group.options().set_lr(rate);

  optimizer_->zero_grad();
  Objective::Value value{};
  if (!batch.empty()) value = objective_.backward(batch);
  sum_over_all_ranks(value);
  if (value.count == 0) return;
  if (!std::isfinite(value.loss)) stop(fmt::format("the loss is {}", value.loss), state_.batch);
  regularize();
  if (options_.clip_norm > 0) {
    std::vector<at::Tensor> parameters;
    for (const auto& [name, parameter] : learning_) parameters.push_back(parameter);
    torch::nn::utils::clip_grad_norm_(parameters, options_.clip_norm);
  }
  optimizer_->step();
  if (average_) average_->update(state_.epoch * batches_.size() + state_.batch);

  state_.loss_sum += value.loss * static_cast<double>(value.count);
  state_.correct += value.correct;
  state_.seen += value.count;
  if (options_.on_step) options_.on_step({state_.epoch, state_.batch, value.loss, rate});
}

void Trainer::sum_over_all_ranks(Objective::Value& value) {
  if (ranks().count == 1) return;
  const at::NoGradGuard no_grad;
  const auto own = static_cast<double>(value.count);
  std::vector<at::Tensor> parameters, gradients;
  std::vector<double> numbers{value.loss * own, static_cast<double>(value.correct), own};
  for (const auto& [name, parameter] : learning_) {
    const at::Tensor gradient = parameter.grad();
    parameters.push_back(parameter);
    gradients.push_back(gradient.defined()
                            ? own * gradient.flatten()
                            : at::zeros({parameter.numel()}, parameter.options().requires_grad(false)));
    numbers.push_back(gradient.defined());
  }
  at::Tensor sums = at::tensor(numbers, at::kDouble), all = at::cat(gradients);
  sum_over_ranks(sums);
  const auto count = sums[2].item<double>();
  value = {sums[0].item<double>() / std::max(count, 1.0), static_cast<int64_t>(sums[1].item<double>()),
           static_cast<int64_t>(count)};
  if (count == 0) return;
  sum_over_ranks(all);
  all = all / count;
  int64_t place = 0;
  for (size_t p = 0; p < parameters.size(); ++p) {
    const auto part = all.narrow(0, place, parameters[p].numel());
    place += parameters[p].numel();
    // Undefined on all ranks: the optimizer passes it over.
    if (sums[3 + static_cast<int64_t>(p)].item<double>() == 0) continue;
    parameters[p].mutable_grad() = part.view_as(parameters[p]).to(parameters[p].scalar_type()).clone();
  }
}

void Trainer::average_buffers() {
  if (ranks().count == 1) return;
  const at::NoGradGuard no_grad;
  for (const auto& buffer : model_.named_buffers()) {
    if (!buffer.value().is_floating_point()) continue;
    at::Tensor sum = buffer.value().to(at::kDouble);
    sum_over_ranks(sum);
    at::Tensor(buffer.value()).copy_(sum / static_cast<double>(ranks().count));
  }
}

void Trainer::grow_penalty() {
  if (!growing_) return;
  growing_->grow(importance_scores(*regularized_, regularized_->groups.select({}), find_importance("l2")));
}

void Trainer::regularize() const {
  if (!regularized_) return;
  const auto tensors = model_.network().tensors();
  const auto descend = [](const at::Tensor& term) {
    if (term.requires_grad()) term.backward();  // not where none of the regularized tensors learns
  };
  if (growing_) descend((*growing_)(tensors));
  if (options_.regularizer.empty()) return;
  const auto& penalty = find_regularizer(options_.regularizer).penalty;
  descend(options_.regularization * penalty(*regularized_, regularized_->groups.select({}), tensors));
}

std::optional<double> Trainer::accuracy() const {
  if (!batches_.dataset().has_classes()) return std::nullopt;
  return static_cast<double>(state_.correct) / static_cast<double>(std::max<int64_t>(1, state_.seen));
}

void Trainer::finish_epoch() {
  require<std::runtime_error>(state_.seen > 0, "train", "Data set '{}': all its samples are corrupt.",
                              batches_.dataset().source);
  require_finite_weights();
  average_buffers();
  const int64_t last = (state_.epoch + 1) * batches_.size() - 1;
  const auto seen = static_cast<double>(state_.seen);
  EpochRecord record{.epoch = state_.epoch,
                     .loss = state_.loss_sum / seen,
                     .accuracy = accuracy(),
                     .learning_rate = learning_rate_at(last, options_.epochs * batches_.size(), options_),
                     .seconds = state_.seconds,
                     .metric = measure(),
                     .time = seconds_since_1970()};
  state_.records.push_back(record);
  ++state_.epoch;
  state_.batch = state_.correct = state_.seen = 0;
  state_.loss_sum = state_.seconds = 0;
  save();
  append_logs(record);
}

std::optional<double> Trainer::measure() {
  model_.eval();
  if (!options_.metric) return std::nullopt;
  const AveragedWeights averaged(average_ ? &*average_ : nullptr);
  const double metric = options_.metric(model_);
  if (!std::isfinite(metric)) stop(fmt::format("the metric is {}", metric), state_.batch - 1);
  const auto* best = best_record();
  if (!options_.keep_best || (best != nullptr && metric <= *best->metric)) return metric;
  state_.best.clear();
  for (const auto& [name, tensor] : model_tensors()) state_.best.emplace(name, tensor.detach().cpu().clone());
  return metric;
}

const EpochRecord* Trainer::best_record() const {
  const EpochRecord* best = nullptr;
  for (const auto& record : state_.records)
    if (record.metric && (best == nullptr || *record.metric > *best->metric)) best = &record;
  return best;
}

bool Trainer::out_of_patience() const {
  const auto* best = best_record();
  return options_.patience > 0 && best != nullptr && state_.epoch - 1 - best->epoch >= options_.patience;
}

void Trainer::take_result() {
  if (average_) average_->exchange();
  const at::NoGradGuard no_grad;
  if (!state_.best.empty())
    for (auto& [name, tensor] : model_tensors()) at::Tensor(tensor).copy_(state_.best.at(name));
}

void Trainer::recalibrate_source() {
  model_.eval();
  if (integral_ == nullptr || !weights_learn_ || options_.recalibration_batches == 0 || options_.epochs == 0)
    return;
  bool elsewhere = integral_->draws_widths();
  for (const auto& group : integral_->groups())
    elsewhere |= group.width() != group.source_width() || group.grid().kind() == "random";
  if (!elsewhere) return;
  Network source = model_.network();  // shares the model's tensors
  auto all = batches_.options();
  all.drop_last = false;
  recalibrate(source, batches_.dataset(), all, options_.recalibration_batches);
}

void Trainer::stop(const std::string& what, int64_t batch) const {
  std::string kept;
  if (!options_.checkpoint.empty() && std::filesystem::exists(options_.checkpoint))
    kept = fmt::format(" The last good state is in '{}'.", options_.checkpoint.string());
  raise<std::runtime_error>(
      "train", "Epoch {}, batch {}: {}. A lower learning rate, a warm-up or gradient clipping may help.{}",
      state_.epoch + 1, batch + 1, what, kept);
}

void Trainer::require_finite_weights() const {
  for (const auto& [name, parameter] : learning_)
    if (!at::isfinite(parameter.detach()).all().item<bool>())
      stop(fmt::format("'{}' contains a non-finite number", name), state_.batch - 1);
}

}  // namespace inn
