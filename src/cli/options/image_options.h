#pragma once
// How images are read and brought to the size that a network takes.

#include <cstdint>
#include <memory>
#include <string>

#include "inn/data/batches.h"
#include "inn/data/dataset.h"
#include "inn/network/network.h"
#include "options/general.h"

namespace CLI {
class App;
}

namespace inn::cli {

struct ImageOptions {
  int64_t size = 0, resize = 0;  // 0: not said
  int64_t workers = -1;          // as in Dataset
  bool skip_corrupt = false;
  /// What is left out of all data sets that are opened with these options.
  std::shared_ptr<SkippedImages> skipped = std::make_shared<SkippedImages>();
};

/// Declares --image-size, --resize, --workers and --skip-corrupt.
void add_image_options(CLI::App& app, ImageOptions& options);

/// Declares --crop-padding, --flip and --random-resized-crop, in a group of the help.
void add_augmentation_options(CLI::App& app, Augmentation& options, const std::string& group);

/// Opens a data set whose images are read as the options say. Throws UsageError where they are at odds.
Dataset open_data(const std::string& data, Split split, const ImageOptions& options);

/// Gives images in files the channels of the network's input, and its height and width where no option says a
/// size. Throws std::invalid_argument where the network does not take images, or takes them of any size.
void fit_images(Dataset& data, const Network& network);

/// Does the same for samples that are run through many times: their images are decoded once, where they need
/// no more than 2 GiB so.
void fit_calibration(Dataset& data, const Network& network);

/// Says on stderr, as it ends, which images were left out.
class SkippedReport {
 public:
  explicit SkippedReport(const ImageOptions& options) : skipped_(options.skipped) {}
  ~SkippedReport();
  SkippedReport(const SkippedReport&) = delete;
  SkippedReport& operator=(const SkippedReport&) = delete;

 private:
  std::shared_ptr<SkippedImages> skipped_;
};

/// Adds "skipped_images": [{"file", "reason"}], where damaged images are left out.
void add_skipped(Json& document, const ImageOptions& options);

}  // namespace inn::cli
