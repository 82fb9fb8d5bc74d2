#pragma once
// Writing a file whole or not at all.

#include <filesystem>
#include <fstream>

namespace inn {

/// Writes beside `path`; `finish` renames the file to `path`. Unfinished, it leaves nothing behind.
class ReplacedFile {
 public:
  /// Throws std::runtime_error with the system's reason where no file can be made there.
  explicit ReplacedFile(const std::filesystem::path& path);
  ~ReplacedFile();

  /// Never throws: `check` and `finish` tell of the first write that failed.
  void write(const void* data, size_t size) noexcept;
  void check() const;
  void finish();

 private:
  std::filesystem::path path_, temporary_;
  std::ofstream file_;
  int error_ = 0;  // errno of the first write that failed
  bool finished_ = false;
};

}  // namespace inn
