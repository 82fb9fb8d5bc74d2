#pragma once
// Reading the zip archives that torch writes.

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

/// Returns the number of storage elements that a tensor spans. Throws std::runtime_error if that exceeds 64
/// bits. Sizes, strides and offset are at least 0.
uint64_t span_of(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, uint64_t offset,
                 const std::string& name);

/// Reads records. Every record's size is checked against the file's before memory is allocated, and its CRC
/// afterwards; torch's own reader checks neither.
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
