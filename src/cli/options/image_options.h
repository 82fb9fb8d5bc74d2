#pragma once
// Options for reading and resizing images.

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
  int64_t size = 0, resize = 0;  // 0: not given
  int64_t workers = -1;          // as in Dataset
  bool skip_corrupt = false;
  /// Skipped images of all data sets opened with these options.
  std::shared_ptr<SkippedImages> skipped = std::make_shared<SkippedImages>();
};

/// Declares --image-size, --resize, --workers and --skip-corrupt.
void add_image_options(CLI::App& app, ImageOptions& options);

/// Declares --crop-padding, --flip and --random-resized-crop, in a group of the help.
void add_augmentation_options(CLI::App& app, Augmentation& options, const std::string& group);

/// Opens a data set with these options. Throws UsageError for contradictory options.
Dataset open_data(const std::string& data, Split split, const ImageOptions& options);

/// Sets the number of channels of image files from the network's input, and by default their size. Throws
/// std::invalid_argument if the network's input is not an image of a fixed size.
void fit_images(Dataset& data, const Network& network);

/// The same for samples that are used many times: their images are decoded once if they take at most 2 GiB.
void fit_calibration(Dataset& data, const Network& network);

/// Lists skipped images on stderr in its destructor.
class SkippedReport {
 public:
  explicit SkippedReport(const ImageOptions& options) : skipped_(options.skipped) {}
  ~SkippedReport();
  SkippedReport(const SkippedReport&) = delete;
  SkippedReport& operator=(const SkippedReport&) = delete;

 private:
  std::shared_ptr<SkippedImages> skipped_;
};

/// Adds "skipped_images": [{"file", "reason"}] if corrupt images are skipped.
void add_skipped(Json& document, const ImageOptions& options);

}  // namespace inn::cli
