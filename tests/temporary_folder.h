#pragma once
// A place for the files of one test.

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace inn {

/// A folder of its own, gone with all that is in it when the object ends.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    auto pattern = (std::filesystem::temp_directory_path() / "inn-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder '" + pattern + "'");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Returns the path of a file in it, whose folder is there.
  std::filesystem::path operator/(const std::string& name) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace inn
