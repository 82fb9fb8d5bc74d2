#include "options/image_options.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "inn/core/error.h"
#include "inn/data/batches.h"
#include "options/limits.h"
#include "options/usage_error.h"

namespace inn::cli {

void add_image_options(CLI::App& app, ImageOptions& options) {
  const std::string group = "Images";
  app.add_option("--image-size", options.size,
                 "Resize images to S×S pixels; default for image files: the size of the network's input")
      ->type_name("S")
      ->check(at_least(1))
      ->group(group);
  app.add_option("--resize", options.resize,
                 "Resize the shorter side to R before the center crop; default: S·256/224, but S×S images "
                 "are unchanged")
      ->type_name("R")
      ->check(at_least(1))
      ->group(group);
  app.add_option("--workers", options.workers,
                 "Threads that prefetch batches; default for image files: one per processor, at most 4")
      ->type_name("N")
      ->check(CLI::Range(0, 256))
      ->group(group);
  app.add_flag("--skip-corrupt", options.skip_corrupt, "Skip corrupt images and list them at the end")
      ->group(group);
}

void add_augmentation_options(CLI::App& app, Augmentation& options, const std::string& group) {
  app.add_option("--crop-padding", options.crop_padding,
                 "Pad images by N pixels and crop at a random position")
      ->check(at_least(0))
      ->capture_default_str()
      ->group(group);
  app.add_flag("--flip", options.flip, "Random horizontal flip")->group(group);
  app.add_flag("--random-resized-crop", options.random_resized_crop,
               "Crop a random region of 8 % to 100 % of the area and resize it")
      ->group(group);
}

Dataset open_data(const std::string& data, Split split, const ImageOptions& options) {
  require<UsageError>(options.resize == 0 || options.size == 0 || options.resize >= options.size, "cli",
                      "--resize {} must be at least --image-size {}.", options.resize, options.size);
  Dataset opened = open_dataset(data, split);
  require<UsageError>(opened.holds_images() || (options.size == 0 && options.resize == 0), "cli",
                      "--image-size and --resize require images, but '{}' contains tensors.", opened.source);
  require<UsageError>(options.resize == 0 || options.size != 0 || opened.files.size() > 0, "cli",
                      "--resize requires --image-size for data that is not in image files, such as '{}'.",
                      opened.source);
  opened.frame.size = options.size;
  opened.frame.resize = options.resize;
  opened.workers = options.workers;
  if (options.skip_corrupt) opened.skipped = options.skipped;
  return opened;
}

void fit_images(Dataset& data, const Network& network) {
  if (data.files.size() == 0) return;
  constexpr size_t kHeight = 2, kWidth = 3;
  const Value* input =
      network.inputs.empty() ? nullptr : &network.values[static_cast<size_t>(network.inputs[0])];
  const bool images = input != nullptr && input->sizes.size() == 4;
  require(images && (input->sizes[1] == 1 || input->sizes[1] == 3), "cli",
          "Data '{}': contains images, but the network's input is not an image with 1 or 3 channels.",
          data.source);
  data.frame.channels = input->sizes[1];
  if (data.frame.size > 0) return;
  const bool known = input->formulas.size() <= kWidth ||
                     (input->formulas[kHeight].empty() && input->formulas[kWidth].empty());
  require(known && input->sizes[kHeight] == input->sizes[kWidth], "cli",
          "Data '{}': the network's image size is dynamic or not square; set --image-size.", data.source);
  data.frame.size = input->sizes[kHeight];
}

void fit_calibration(Dataset& data, const Network& network) {
  fit_images(data, network);
  constexpr int64_t kMostBytes = int64_t{1} << 31;
  if (c10::multiply_integers(data.sizes()) <= kMostBytes) data = in_memory(data);
}

SkippedReport::~SkippedReport() {
  const auto all = skipped_->all();
  if (all.empty()) return;
  std::cerr << fmt::format("{} corrupt {} skipped:\n", all.size(),
                           all.size() == 1 ? "image was" : "images were");
  for (const auto& [file, reason] : all) std::cerr << fmt::format("  {}: {}\n", file, reason);
}

void add_skipped(Json& document, const ImageOptions& options) {
  if (!options.skip_corrupt) return;
  Json list = Json::array();
  for (const auto& [file, reason] : options.skipped->all())
    list.push_back({{"file", file}, {"reason", reason}});
  document["skipped_images"] = std::move(list);
}

}  // namespace inn::cli
