// What a run writes down, and how it goes on from there.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "event_file.h"
#include "generators.h"
#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "inn/core/ranks.h"
#include "trainer.h"

namespace inn {
NamedTensors Trainer::model_tensors() const {
  NamedTensors tensors;
  for (const auto& parameter : model_.named_parameters()) tensors.emplace(parameter.key(), parameter.value());
  for (const auto& buffer : model_.named_buffers()) tensors.emplace(buffer.key(), buffer.value());
  return tensors;
}

void Trainer::save() const {
  if (options_.checkpoint.empty() || ranks().rank != 0) return;
  Checkpoint written = state_;
  written.model = model_tensors();
  if (average_) written.average = average_->averages();
  for (const auto& [name, parameter] : learning_)
    if (auto kept = optimizer_entry_.state(*optimizer_, parameter); !kept.empty())
      written.optimizer.emplace(name, std::move(kept));
  for (const auto& [name, generator] : torch_generators(place_.device()))
    written.generators.emplace(name, generator.get_state());
  if (growing_)
    for (const auto& [id, coefficients] : growing_->coefficients())
      written.penalty.emplace(regularized_->groups.groups[id].name, coefficients);
  if (integral_ != nullptr) {
    std::ostringstream text;
    text << integral_->generator();
    written.width_generator = text.str();
  }
  write_checkpoint(options_.checkpoint, written);
}

void Trainer::refuse(const std::string& why) const {
  raise<std::runtime_error>("train", "Checkpoint '{}': {}.", options_.checkpoint.string(), why);
}

/// Everything is looked at before anything changes.
void Trainer::check(const Checkpoint& kept) const {
  for (const auto& [name, value] : state_.run) {
    const auto found = kept.run.find(name);
    const auto was = found == kept.run.end() ? "not set" : found->second;
    if (was != value)
      refuse(fmt::format("{} was {} in the run that wrote it but is {} now", name, was, value));
  }
  for (const auto& [name, value] : kept.run)
    if (!state_.run.contains(name))
      refuse(fmt::format("{} was {} in the run that wrote it but is not set now", name, value));
  const auto compare = [&](const std::string& name, const at::Tensor& ours, const at::Tensor& theirs) {
    if (ours.sizes() != theirs.sizes() || ours.scalar_type() != theirs.scalar_type())
      refuse(fmt::format("tensor '{}' must be {} [{}] but is {} [{}]; it belongs to another model", name,
                         c10::toString(ours.scalar_type()), fmt::join(ours.sizes(), ", "),
                         c10::toString(theirs.scalar_type()), fmt::join(theirs.sizes(), ", ")));
  };
  const auto ours = model_tensors();
  const auto compare_all = [&](const NamedTensors& theirs) {
    for (const auto& [name, tensor] : ours) {
      const auto found = theirs.find(name);
      if (found == theirs.end())
        refuse(fmt::format("it has no tensor '{}'; it belongs to another model", name));
      compare(name, tensor, found->second);
    }
    for (const auto& [name, tensor] : theirs)
      if (!ours.contains(name))
        refuse(fmt::format("the model has no tensor '{}'; it belongs to another model", name));
  };
  compare_all(kept.model);
  if (average_) compare_all(kept.average);
  if (!kept.best.empty()) compare_all(kept.best);
  for (const auto& [name, state] : kept.optimizer) {
    const auto found = learning_.find(name);
    if (found == learning_.end())
      refuse(fmt::format("its optimizer has state for '{}', which is not trained now", name));
    for (const auto& [part, tensor] : state)
      if (tensor.dim() > 0) compare(name + "/" + part, found->second, tensor);
  }
  if (kept.epoch < 0 || kept.epoch > options_.epochs || kept.batch < 0 || kept.batch >= batches_.size())
    refuse(fmt::format("it is at epoch {}, batch {}, which this run does not have", kept.epoch, kept.batch));
}

void Trainer::restore_optimizer(const Checkpoint& kept) {
  for (const auto& [name, state] : kept.optimizer) {
    std::map<std::string, at::Tensor> moved;
    for (const auto& [part, tensor] : state)
      moved.emplace(part, tensor.dim() > 0 ? tensor.to(place_.device()) : tensor);
    try {
      optimizer_entry_.restore(*optimizer_, learning_.at(name), moved);
    } catch (const std::out_of_range&) {
      refuse(fmt::format("the state of optimizer '{}' for '{}' is incomplete", optimizer_entry_.name, name));
    }
  }
}

void Trainer::restore_generators(const Checkpoint& kept) {
  try {
    for (auto& [name, generator] : torch_generators(place_.device()))
      if (const auto found = kept.generators.find(name); found != kept.generators.end())
        at::Generator(generator).set_state(found->second);
  } catch (const c10::Error& error) {
    refuse(fmt::format("the state of a random generator is corrupt ({})", error.what_without_backtrace()));
  }
  if (integral_ == nullptr) return;
  std::istringstream text(kept.width_generator);
  std::mt19937_64 generator;
  if (!(text >> generator)) refuse("the state of the width generator is corrupt");
  integral_->generator() = generator;
}

void Trainer::restore_penalty(const Checkpoint& kept) {
  if (!growing_) return;
  std::map<GroupId, at::Tensor> coefficients;
  for (const auto& [name, own] : kept.penalty)
    for (const auto& [id, ours] : growing_->coefficients())
      if (regularized_->groups.groups[id].name == name) coefficients.emplace(id, own);
  try {
    growing_->set_coefficients(coefficients);
  } catch (const std::invalid_argument&) {
    refuse("the state of the growing penalty is incomplete");
  }
}

void Trainer::resume() {
  if (integral_ != nullptr)
    for (const auto& group : integral_->groups())
      if (group.grid().kind() == "random")
        refuse(fmt::format("the grid of group '{}' is random, and its state is not saved", group.name()));
  const Checkpoint kept = read_checkpoint(options_.checkpoint);
  check(kept);
  restore_optimizer(kept);
  restore_generators(kept);
  restore_penalty(kept);
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : model_tensors()) at::Tensor(tensor).copy_(kept.model.at(name));
  if (average_) average_->restore(kept.average);
  state_ = kept;
  state_.model.clear();
  state_.average.clear();
  state_.optimizer.clear();
  state_.generators.clear();
  state_.penalty.clear();
}

void Trainer::begin_logs() const {
  if (ranks().rank != 0) return;
  if (!options_.log.empty()) {
    std::string lines;
    for (const auto& record : state_.records) lines += to_json(record) + "\n";
    write_atomically(options_.log, lines);
  }
  if (!options_.tensorboard.empty()) {
    std::string events =
        event_file_start(state_.records.empty() ? seconds_since_1970() : state_.records.front().time);
    for (const auto& record : state_.records) events += event_record(record);
    std::filesystem::create_directories(options_.tensorboard);
    write_atomically(options_.tensorboard / kEventFile, events);
  }
}

void Trainer::append_logs(const EpochRecord& record) const {
  if (ranks().rank != 0) return;
  const auto append = [](const std::filesystem::path& path, const std::string& text) {
    std::ofstream file(path, std::ios::app | std::ios::binary);
    file << text << std::flush;
    require<std::runtime_error>(static_cast<bool>(file), "train", "Log '{}': cannot be written.",
                                path.string());
  };
  if (!options_.log.empty()) append(options_.log, to_json(record) + "\n");
  if (!options_.tensorboard.empty()) append(options_.tensorboard / kEventFile, event_record(record));
}

}  // namespace inn
