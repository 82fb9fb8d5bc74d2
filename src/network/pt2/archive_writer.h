#pragma once
// Writing the zip.

#include <caffe2/serialize/inline_container.h>

#include <filesystem>
#include <string>

#include "../replaced_file.h"

namespace inn::pt2 {

/// Writes records into a file beside `path`; `finish` renames it to `path`. Unfinished, it leaves nothing
/// behind.
class ArchiveWriter {
 public:
  explicit ArchiveWriter(const std::filesystem::path& path);
  void write(const std::string& record, const void* data, size_t size);
  void write(const std::string& record, const std::string& content) {
    write(record, content.data(), content.size());
  }
  void finish();

 private:
  ReplacedFile file_;
  caffe2::serialize::PyTorchStreamWriter writer_;
};

}  // namespace inn::pt2
