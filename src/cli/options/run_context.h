#pragma once
// What every command that reads a model has: the model, how data is prepared for it, and the general options.

#include <c10/core/Device.h>

#include "options/general.h"
#include "options/image_options.h"
#include "options/image_source.h"
#include "options/model_source.h"

namespace inn::cli {

struct NormalizedModel {
  AnyModel model;
  Normalization normalization;
};

/// Inputs and classes of a zoo network: its defaults, or those of the data.
enum class ZooSize { its_own, of_data };

struct RunContext {
  GeneralOptions general = {};
  ModelOptions model = {};
  ImageOptions images = {};
  NormalizationOptions normalization = {};

  /// Which options a command has beside MODEL, --input-size, --json, --seed and --threads.
  struct Has {
    bool data = false;           // the image options, --mean and --std
    bool dynamic_batch = false;  // --dynamic-batch: the network is written
    bool device = false;         // --device: it computes for long
  };
  /// Declares MODEL and --input-size, which come first in the help.
  void add_model(CLI::App& app);
  /// Declares the other options, which come last.
  void add_options(CLI::App& app, const Has& has);

  /// Sets the number of threads and returns the device. Throws as `inn::cli::start` does.
  c10::Device start() const;
  /// Reads MODEL and opens it. Throws as `read_network` does.
  AnyModel open() const;
  /// The same for `data`, where that is known, with its normalization: that of --mean and --std, which is then
  /// recorded in the model, or what the model's archive records. Throws as `normalization_of` does, too.
  NormalizedModel open_for(const Dataset* data, ZooSize size = ZooSize::its_own) const;
};

}  // namespace inn::cli
