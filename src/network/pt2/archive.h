#pragma once
// The zip that holds a network.

#include <c10/core/Storage.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace caffe2::serialize {
class PyTorchStreamReader;
class ReadAdapterInterface;
}  // namespace caffe2::serialize

namespace inn::pt2 {

/// Reads records. Every record is checked against the file's size before memory is taken for it, and against
/// its CRC after: torch's own reader checks none.
class Archive {
 public:
  explicit Archive(std::shared_ptr<caffe2::serialize::ReadAdapterInterface> source);
  explicit Archive(const std::filesystem::path& path);
  ~Archive();

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

}  // namespace inn::pt2
