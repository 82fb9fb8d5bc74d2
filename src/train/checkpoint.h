#pragma once
// The complete state of a training run, for resuming.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "inn/train/train.h"

namespace inn {

struct Checkpoint {
  /// The settings of the run, as text; a run with other settings cannot resume from it.
  std::map<std::string, std::string> run;

  int64_t epoch = 0, batch = 0;  // the next ones
  double loss_sum = 0, seconds = 0;
  int64_t correct = 0, seen = 0;  // in the epoch so far
  std::vector<EpochRecord> records;

  std::map<std::string, at::Tensor> model;    // parameters and buffers by their names
  std::map<std::string, at::Tensor> average;  // their moving averages; empty where there are none
  std::map<std::string, at::Tensor> best;     // of the epoch with the best metric; empty where not kept
  std::map<std::string, std::map<std::string, at::Tensor>> optimizer;  // by parameter
  std::map<std::string, at::Tensor> generators;  // torch's: "cpu" and the device's, by name
  std::map<std::string, at::Tensor> penalty;     // coefficients of the growing penalty, by group
  std::string width_generator;                   // as std::mt19937_64 writes itself
};

/// Writes it as a file that torch.load(…, weights_only=False) reads too: {"meta": JSON, "model": …,
/// "average": …, "best": …, "optimizer": …, "generators": …, "penalty": …}. Written atomically. Throws
/// std::runtime_error.
void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Throws std::runtime_error naming the file if it is missing, corrupt or not a checkpoint.
Checkpoint read_checkpoint(const std::filesystem::path& path);

/// The available figures of an epoch, by name.
std::vector<std::pair<const char*, double>> figures(const EpochRecord& record);

/// An epoch as one object of JSON, without line breaks, and back.
std::string to_json(const EpochRecord& record);

}  // namespace inn
