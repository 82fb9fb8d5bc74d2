#pragma once
// Files that a command writes.

#include <filesystem>
#include <string>

#include "inn/network/files.h"
#include "inn/network/network.h"

namespace CLI {
class App;
}

namespace inn::cli {

/// Declares -o,--output.
void add_output_option(CLI::App& app, std::filesystem::path& output);

/// Throws std::runtime_error if `file` cannot be written: its folder is missing or read-only, or it is a
/// folder itself. Called before long computations.
void check_output(const std::filesystem::path& file);

/// Creates an output folder. Throws std::runtime_error if it cannot be created or written to.
void make_output_folder(const std::filesystem::path& folder);

/// Throws UsageError unless the name ends in .pt2, which integral models require.
void check_integral_output(const std::filesystem::path& file);
/// Throws UsageError unless the name ends in .pt2, .pt or .onnx.
void check_network_output(const std::filesystem::path& file);

/// Throws UsageError unless the name has an extension of drawings.
void check_drawing_output(const std::filesystem::path& file);

/// Writes a .pt2, an ONNX model if the name ends in .onnx, or a TorchScript file if it ends in .pt.
void write_network(const Network& network, const std::filesystem::path& file, bool dynamic_batch,
                   const WriteOnnxOptions& onnx = {});

}  // namespace inn::cli
