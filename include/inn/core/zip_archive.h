#pragma once
// Reading a zip of records, as torch writes its files.

#include <c10/core/Storage.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace caffe2::serialize {
class PyTorchStreamReader;
class ReadAdapterInterface;
}  // namespace caffe2::serialize

namespace inn {

/// Returns how many elements of its storage a tensor spans, 0 where it has none. Throws std::runtime_error
/// where that is no 64 bit number. Sizes, strides and offset are at least 0.
uint64_t span_of(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, uint64_t offset,
                 const std::string& name);

/// Reads records. Every record is checked against the file's size before memory is taken for it, and against
/// its CRC after: torch's own reader checks none.
class ZipArchive {
 public:
  explicit ZipArchive(std::shared_ptr<caffe2::serialize::ReadAdapterInterface> source);
  explicit ZipArchive(const std::filesystem::path& path);
  ~ZipArchive();

  const std::vector<std::string>& records() const { return records_; }
  bool has(const std::string& record) const;
  size_t size(const std::string& record) const;
  std::string text(const std::string& record) const;
  c10::Storage storage(const std::string& record) const;

 private:
  void check_crc(const std::string& record, const void* data, size_t size) const;

  std::shared_ptr<caffe2::serialize::ReadAdapterInterface> file_;
  std::unique_ptr<caffe2::serialize::PyTorchStreamReader> reader_;
  std::vector<std::string> records_;
};

}  // namespace inn
