#pragma once
// Reading the zip archives that torch writes.

#include <c10/core/Storage.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "inn/core/mapped_file.h"

namespace caffe2::serialize {
class PyTorchStreamReader;
class ReadAdapterInterface;
}  // namespace caffe2::serialize

namespace inn {

/// How a tensor lies in its storage. Sizes, strides (of the same count) and offset are at least 0.
struct TensorLayout {
  std::vector<int64_t> sizes, strides;
  uint64_t offset = 0;
  uint64_t element_bytes = 1;
};

/// How the records of a file become tensors.
enum class FileBytes {
  read,    // into memory
  mapped,  // of large files: where they are (MappedFile). For programs whose input nobody changes meanwhile.
};

/// Reads records. Every record's size is checked against the file's before memory is allocated, and its CRC
/// afterwards; torch's own reader checks neither. No two records share bytes of the file, so together they
/// have at most as many as the file; compressed ones (TorchScript's code) at most 64 MiB more.
class ZipArchive {
 public:
  /// Throws std::runtime_error for a file that is no zip, and for records that share bytes or a name.
  explicit ZipArchive(std::shared_ptr<caffe2::serialize::ReadAdapterInterface> source);
  explicit ZipArchive(const std::filesystem::path& path, FileBytes bytes = FileBytes::read);
  ~ZipArchive();

  const std::vector<std::string>& records() const { return records_; }
  bool has(const std::string& record) const;
  size_t size(const std::string& record) const;
  std::string text(const std::string& record) const;
  /// Returns the record's bytes. They are read once: later calls return the same storage, as long as one that
  /// was returned before is in use. Mapped ones are only read through for the checksum.
  c10::Storage storage(const std::string& record) const;

  /// Returns how many elements of the record a tensor spans, 0 where it has none. Throws std::runtime_error
  /// naming the tensor where it does not lie within the record, or where tensors that repeat elements
  /// (expanded axes) would, copied, take more than the file's size and 64 MiB together.
  uint64_t span(const TensorLayout& layout, const std::string& record, const std::string& tensor) const;

 private:
  /// Where a record stands in the file, asked of torch's reader once: each of its answers is a search.
  struct Place {
    uint64_t header, data;
    size_t bytes;
    bool is_compressed;
  };
  const Place& place(const std::string& record) const;
  void find_places();
  void check_places() const;
  void check_crc(const std::string& record, const void* data, size_t size) const;

  c10::DataPtr content(const std::string& record) const;

  std::shared_ptr<caffe2::serialize::ReadAdapterInterface> file_;
  std::optional<MappedFile> mapped_;  // of a large file
  std::unique_ptr<caffe2::serialize::PyTorchStreamReader> reader_;
  std::vector<std::string> records_;
  std::unordered_map<std::string, Place> places_;
  mutable std::unordered_map<std::string, c10::weak_intrusive_ptr<c10::StorageImpl>> storages_;
  mutable uint64_t repeated_bytes_ = 0;
};

}  // namespace inn
