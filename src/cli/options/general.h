#pragma once
// Options of every command.

#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <functional>
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
  std::filesystem::path html = {};  // empty: none
};

/// Declares --json, --seed and --threads.
void add_general_options(CLI::App& app, GeneralOptions& options);
/// Declares --html, for commands whose results are shown by `show`.
void add_html_option(CLI::App& app, GeneralOptions& options);
/// Declares --device, for long computations.
void add_device_option(CLI::App& app, GeneralOptions& options);

/// Sets the number of threads and returns the device. Throws UsageError for an invalid device or another ending than .html, and
/// std::runtime_error if this machine does not have the device or the page cannot be written.
c10::Device start(const GeneralOptions& options);

/// Prints one JSON document on stdout, with "run" (run_record.h). Invalid UTF-8 is replaced; non-finite numbers are null.
void print(const Json& document);

/// A network with its groups as SVG, where a page shows it.
using MakeDrawing = std::function<std::string()>;
/// Shows a command's result: writes the page of --html, and prints the document (--json), or calls `print_text`.
void show(const GeneralOptions& options, const Json& document, const std::function<void()>& print_text,
          const MakeDrawing& drawing = nullptr);

}  // namespace inn::cli
