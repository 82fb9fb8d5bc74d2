#pragma once
// Options of every command that reads a model: the model, preprocessing of data, and the general options.

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

  /// The options of a command in addition to MODEL, --input-size, --json, --seed and --threads.
  struct Has {
    bool data = false;           // the image options, --mean and --std
    bool dynamic_batch = false;  // --dynamic-batch: for commands that write a network
    bool device = false;         // --device: for long computations
    bool html = false;           // --html: of commands that `show` their result
  };
  /// Declares MODEL and --input-size, which come first in the help.
  void add_model(CLI::App& app);
  /// Declares the other options, which come last.
  void add_options(CLI::App& app, const Has& has);

  /// Sets the number of threads and returns the device. Throws as `inn::cli::start` does.
  c10::Device start() const;
  /// Reads MODEL and opens it. Throws as `read_network` does.
  AnyModel open() const;
  /// The same for `data`, if given, with its normalization: that of --mean and --std, which is then recorded
  /// in the model, or that of the model's archive. Also throws as `normalization_of` does.
  NormalizedModel open_for(const Dataset* data, ZooSize size = ZooSize::its_own) const;
};

}  // namespace inn::cli
