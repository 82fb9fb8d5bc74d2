#include "output.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>

#include "inn/core/error.h"
#include "inn/network/dynamic_batch.h"
#include "inn/report/network_drawing.h"
#include "options/usage_error.h"

namespace inn::cli {

void add_output_option(CLI::App& app, std::filesystem::path& output) {
  app.add_option("-o,--output", output, "Output file")->required()->type_name("OUT");
}

void check_output(const std::filesystem::path& file) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  require<std::runtime_error>(std::filesystem::is_directory(folder), "cli",
                              "File '{}': cannot be written: folder '{}' does not exist.", file.string(),
                              folder.string());
  require<std::runtime_error>(!std::filesystem::is_directory(file), "cli",
                              "File '{}': cannot be written: it is a folder.", file.string());
  require<std::runtime_error>(access(folder.c_str(), W_OK | X_OK) == 0, "cli",
                              "File '{}': cannot be written: folder '{}': {}.", file.string(),
                              folder.string(), std::strerror(errno));
}

void make_output_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require<std::runtime_error>(!error, "cli", "Folder '{}': cannot be created: {}.", folder.string(),
                              error.message());
  check_output(folder / "results.json");
}

void check_integral_output(const std::filesystem::path& file) {
  require<UsageError>(file.extension() == ".pt2", "cli",
                      "--output '{}': must end in .pt2 for an integral model.", file.string());
  check_output(file);
}

void check_network_output(const std::filesystem::path& file) {
  const auto extension = file.extension();
  require<UsageError>(extension == ".pt2" || extension == ".pt" || extension == ".onnx", "cli",
                      "--output '{}': must end in .pt2, in .onnx, or in .pt for TorchScript.", file.string());
  check_output(file);
}

void check_drawing_output(const std::filesystem::path& file) {
  const auto& known = drawing_extensions();
  require<UsageError>(std::find(known.begin(), known.end(), file.extension()) != known.end(), "cli",
                      "--draw '{}': must end in {}.", file.string(), fmt::join(known, ", "));
  check_output(file);
}

void write_network(const Network& network, const std::filesystem::path& file, bool dynamic_batch,
                   const WriteOnnxOptions& onnx) {
  if (file.extension() == ".pt") {
    write_torchscript(network, file);
  } else if (file.extension() == ".onnx") {
    write_onnx(dynamic_batch ? with_dynamic_batch(network) : network, file, onnx);
  } else {
    write_pt2(network, file, {.dynamic_batch = dynamic_batch});
  }
}

}  // namespace inn::cli
