#pragma once
// What every command takes.

#include <c10/core/Device.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace CLI {
class App;
}

namespace inn::cli {

/// In the order in which it is written.
using Json = nlohmann::ordered_json;

struct GeneralOptions {
  bool json = false;
  uint64_t seed = 0;
  int threads = 0;  // 0: as torch chooses
  std::string device = "cpu";
};

/// Declares --json, --seed and --threads.
void add_general_options(CLI::App& app, GeneralOptions& options);
/// Declares --device, for commands that compute for long.
void add_device_option(CLI::App& app, GeneralOptions& options);

/// Sets the number of threads and returns the device. Throws UsageError for a text that names no device, and
/// std::runtime_error for one that this machine lacks.
c10::Device start(const GeneralOptions& options);

/// Prints one JSON document on stdout. Text that is no UTF-8 is mended; numbers that are not finite are null.
void print(const Json& document);

}  // namespace inn::cli
