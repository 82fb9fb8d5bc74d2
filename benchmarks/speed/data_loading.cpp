// What share of a training step waits for its data: class folders of JPEG files, with and without reading
// ahead.
//
//   data_loading [--network resnet20|resnet18] [--images 2000] [--side 256] [--size 224] [--batch 32]
//   [--steps 12]
//                [--workers 1,2,4] [--folder FOLDER]
//
// Writes the images into a folder of its own under the system's temporary folder (or FOLDER, which stays),
// trains a few steps on them, and prints JSON. "wait" is the time in which the training thread has no batch,
// "step" that of forward, backward and optimizer; the first two steps, which start threads and fill the
// queue, are left out. Neighbours of the process are seen in every figure, so the cases are taken in turn,
// `--rounds` times, and their medians told.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/optim/sgd.h>
#include <turbojpeg.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "inn/core/error.h"
#include "inn/core/random.h"
#include "inn/data/batches.h"
#include "inn/model/network_module.h"
#include "inn/network/dynamic_batch.h"
#include "inn/zoo/zoo.h"

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr int64_t kClasses = 10, kUncounted = 2;

struct Options {
  std::string network = "resnet20";
  int64_t images = 2000, side = 256, size = 224, batch = 32, steps = 12, rounds = 3;
  std::vector<int64_t> workers{1, 2, 4};
  std::string folder;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int64_t number_of(const std::string& text) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  inn::require(error == std::errc() && stop == end && number >= 0, "data_loading",
               "'{}' must be a whole number.", text);
  return number;
}

Options read_options(int count, char** words) {
  Options options;
  const std::map<std::string, int64_t*> numbers{{"--images", &options.images}, {"--side", &options.side},
                                                {"--size", &options.size},     {"--batch", &options.batch},
                                                {"--steps", &options.steps},   {"--rounds", &options.rounds}};
  for (int i = 1; i < count; i += 2) {
    const std::string name = words[i];
    inn::require(i + 1 < count, "data_loading", "{} needs a value.", name);
    const std::string value = words[i + 1];
    if (name == "--network") {
      options.network = value;
    } else if (name == "--folder") {
      options.folder = value;
    } else if (name == "--workers") {
      options.workers.clear();
      std::istringstream list(value);
      for (std::string each; std::getline(list, each, ',');) options.workers.push_back(number_of(each));
    } else {
      const auto found = numbers.find(name);
      inn::require(found != numbers.end(), "data_loading", "There is no option {}.", name);
      *found->second = number_of(value);
    }
  }
  return options;
}

/// A JPEG of waves with noise, about as many bytes as a photograph of that size.
void write_image(const fs::path& path, int64_t side, uint64_t seed) {
  inn::Random random(seed);
  std::vector<unsigned char> pixels(static_cast<size_t>(3 * side * side));
  const double a = 1 + 9 * random.uniform(), b = 1 + 9 * random.uniform(), c = 6 * random.uniform();
  size_t at = 0;
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < side; ++x)
      for (int channel = 0; channel < 3; ++channel) {
        const double u = static_cast<double>(x) / static_cast<double>(side);
        const double v = static_cast<double>(y) / static_cast<double>(side);
        const double wave = std::sin(a * u * 6 + c + channel) * std::cos(b * v * 6 - channel) * 90;
        pixels[at++] = static_cast<unsigned char>(127 + wave + (random.uniform() - 0.5) * 40);
      }
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  const tjhandle handle = tjInitCompress();
  const int failed = tjCompress2(handle, pixels.data(), static_cast<int>(side), 0, static_cast<int>(side),
                                 TJPF_RGB, &bytes, &size, TJSAMP_420, 85, 0);
  inn::require<std::runtime_error>(failed == 0, "data_loading", "No JPEG: {}.", tjGetErrorStr2(handle));
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<char*>(bytes), static_cast<std::streamsize>(size));
  tjFree(bytes);
  tjDestroy(handle);
}

void write_images(const fs::path& folder, const Options& options) {
  for (int64_t i = 0; i < options.images; ++i) {
    const fs::path place = folder / std::to_string(i % kClasses);
    fs::create_directories(place);
    const fs::path path = place / (std::to_string(i) + ".jpg");
    if (!fs::exists(path)) write_image(path, options.side, static_cast<uint64_t>(i));
  }
}

struct Measured {
  double wait = 0, step = 0;  // seconds a step
  double share() const { return wait / (wait + step); }
};

Measured measure(const Options& options, const inn::Dataset& data) {
  inn::NetworkModule model(inn::with_dynamic_batch(inn::make_zoo_network(
      options.network, {.classes = kClasses, .channels = 3, .image_size = options.size})));
  model->train();
  torch::optim::SGD optimizer(model->parameters(), torch::optim::SGDOptions(0.01).momentum(0.9));
  const inn::Batches batches(data, {.batch_size = options.batch,
                                    .shuffle = true,
                                    .augmentation = {.flip = true, .random_resized_crop = true},
                                    .drop_last = true});
  const inn::Epoch epoch = batches.epoch(0);
  Measured result;
  const int64_t steps = std::min(options.steps + kUncounted, epoch.size());
  for (int64_t i = 0; i < steps; ++i) {
    const auto begin = Clock::now();
    const inn::Batch batch = epoch[i];
    const double wait = seconds_since(begin);
    const auto start = Clock::now();
    optimizer.zero_grad();
    at::cross_entropy_loss(model->forward(batch.inputs), batch.labels).backward();
    optimizer.step();
    if (i < kUncounted) continue;
    result.wait += wait / static_cast<double>(steps - kUncounted);
    result.step += seconds_since(start) / static_cast<double>(steps - kUncounted);
  }
  return result;
}

/// How fast images come where nothing else is done.
double images_per_second(const Options& options, const inn::Dataset& data) {
  const inn::Batches batches(
      data, {.batch_size = options.batch, .augmentation = {.flip = true, .random_resized_crop = true}});
  const auto start = Clock::now();
  for (const inn::Batch& batch : batches.epoch(0))
    inn::require(batch.inputs.defined(), "data_loading", "A batch is empty.");
  return static_cast<double>(data.size()) / seconds_since(start);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Json record_of(int64_t workers, const std::vector<Measured>& rounds, double rate) {
  std::vector<double> shares, waits, steps;
  for (const auto& round : rounds) {
    shares.push_back(round.share());
    waits.push_back(round.wait);
    steps.push_back(round.step);
  }
  return {{"workers", workers},
          {"images_per_second_alone", rate},
          {"wait_seconds", median(waits)},
          {"step_seconds", median(steps)},
          {"waiting_share", median(shares)},
          {"waiting_share_of_rounds", shares}};
}

void run(const Options& options, const fs::path& folder) {
  write_images(folder, options);
  inn::Dataset data = inn::open_dataset(folder.string(), inn::Split::any);
  data.frame.size = options.size;
  std::vector<int64_t> cases{0};
  cases.insert(cases.end(), options.workers.begin(), options.workers.end());
  std::map<int64_t, std::vector<Measured>> rounds;
  std::map<int64_t, double> rates;
  for (const int64_t workers : cases) {
    data.workers = workers;
    rates[workers] = images_per_second(options, data.first(std::min<int64_t>(400, data.size())));
  }
  for (int64_t round = 0; round < options.rounds; ++round)
    for (const int64_t workers : cases) {
      data.workers = workers;
      rounds[workers].push_back(measure(options, data));
    }
  Json results = Json::array();
  for (const int64_t workers : cases)
    results.push_back(record_of(workers, rounds.at(workers), rates.at(workers)));
  const Json document{{"network", options.network}, {"images", options.images},
                      {"side", options.side},       {"size", options.size},
                      {"batch", options.batch},     {"steps", options.steps},
                      {"rounds", options.rounds},   {"torch_threads", at::get_num_threads()},
                      {"results", results}};
  std::cout << document.dump(2) << '\n';
}

}  // namespace

int main(int count, char** words) {
  try {
    const Options options = read_options(count, words);
    if (!options.folder.empty()) {
      run(options, options.folder);
      return 0;
    }
    const fs::path folder = fs::temp_directory_path() / ("inn_data_loading_" + std::to_string(getpid()));
    struct Removed {
      fs::path folder;
      ~Removed() { fs::remove_all(folder); }
    } const removed{folder};
    run(options, folder);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
