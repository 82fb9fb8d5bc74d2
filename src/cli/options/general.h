#pragma once
// Options of every command.

#include <c10/core/Device.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace CLI {
class App;
}

namespace inn::cli {

/// Keeps the order of keys.
using Json = nlohmann::ordered_json;

struct GeneralOptions {
  bool json = false;
  uint64_t seed = 0;
  int threads = 0;  // 0: chosen by torch
  std::string device = "cpu";
};

/// Declares --json, --seed and --threads.
void add_general_options(CLI::App& app, GeneralOptions& options);
/// Declares --device, for long computations.
void add_device_option(CLI::App& app, GeneralOptions& options);

/// Sets the number of threads and returns the device. Throws UsageError for an invalid device, and
/// std::runtime_error if this machine does not have it.
c10::Device start(const GeneralOptions& options);

/// Prints one JSON document on stdout. Invalid UTF-8 is replaced; non-finite numbers are null.
void print(const Json& document);

}  // namespace inn::cli
