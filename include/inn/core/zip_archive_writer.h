#pragma once
// Writing zip archives.

#include <caffe2/serialize/inline_container.h>

#include <ostream>
#include <string>

namespace inn {

/// Writes records to a stream, which need not be seekable. `finish` writes the zip directory.
class ZipArchiveWriter {
 public:
  explicit ZipArchiveWriter(std::ostream& stream);
  void write(const std::string& record, const void* data, size_t size);
  void write(const std::string& record, const std::string& content) {
    write(record, content.data(), content.size());
  }
  void finish();

 private:
  std::ostream& stream_;
  caffe2::serialize::PyTorchStreamWriter writer_;
};

}  // namespace inn
