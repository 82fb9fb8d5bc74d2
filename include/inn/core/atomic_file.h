#pragma once
// Files that are there whole or not at all.

#include <filesystem>
#include <functional>
#include <ostream>
#include <string_view>

namespace inn {

/// Writes a file so that at every moment, a crash included, `path` holds either its old content or all of the
/// new.
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
