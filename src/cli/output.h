#pragma once
// Files that a command writes.

#include <filesystem>
#include <string>

#include "inn/network/network.h"

namespace CLI {
class App;
}

namespace inn::cli {

/// Declares -o,--output.
void add_output_option(CLI::App& app, std::filesystem::path& output);

/// Throws std::runtime_error where `file` could not be written: its folder is missing or read-only, or it is
/// a folder itself. Asked before long work.
void check_output(const std::filesystem::path& file);

/// Makes a folder that files are written into. Throws std::runtime_error where it can't be made or written
/// to.
void make_output_folder(const std::filesystem::path& folder);

/// Throws UsageError unless the name ends in .pt2: an integral model is kept in nothing else.
void check_integral_output(const std::filesystem::path& file);
/// Throws UsageError unless the name ends in .pt2 or .pt.
void check_network_output(const std::filesystem::path& file);

/// Throws UsageError unless the name ends as a drawing of a network may.
void check_drawing_output(const std::filesystem::path& file);

/// Writes a .pt2, or a TorchScript file where the name ends in .pt.
void write_network(const Network& network, const std::filesystem::path& file, bool dynamic_batch);

}  // namespace inn::cli
