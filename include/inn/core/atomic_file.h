#pragma once
// Atomic file writes.

#include <filesystem>
#include <functional>
#include <ostream>
#include <string_view>

namespace inn {

/// Writes a file atomically: at every moment, even after a crash, `path` has either its old or its complete
/// new content.
///
/// `write` writes to a new temporary beside it (path.tmp-<random>), which is flushed to the disk and renamed.
/// The stream can't seek. An existing file keeps its permissions; a symbolic link keeps pointing to the
/// replaced file. On failure the temporary is removed and `path` is unchanged: std::runtime_error with the
/// path and the system's reason (missing or read-only folder, full disk, not a regular file); exceptions of
/// `write` itself are propagated.
void write_atomically(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);

/// Writes `content` as above.
void write_atomically(const std::filesystem::path& path, std::string_view content);

}  // namespace inn
