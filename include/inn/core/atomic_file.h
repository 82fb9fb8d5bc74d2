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
/// The stream can't seek. A file that was there keeps its permissions; a symbolic link keeps pointing to the file
/// that is replaced. On any failure the temporary is removed and `path` is as it was: std::runtime_error with
/// the path and the system's reason (missing or read-only folder, full disk; a path that is no regular file
/// is refused); what `write` throws itself goes through unchanged.
void write_atomically(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);

/// Writes `content` as above.
void write_atomically(const std::filesystem::path& path, std::string_view content);

}  // namespace inn
