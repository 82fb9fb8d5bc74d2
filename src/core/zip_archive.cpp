#include "inn/core/zip_archive.h"

#include <c10/util/safe_numerics.h>
#include <caffe2/serialize/file_adapter.h>
#include <caffe2/serialize/inline_container.h>
#include <fmt/ranges.h>
#include <zlib.h>

#include <cstring>
#include <set>
#include <stdexcept>

namespace inn {
namespace {

/// Without the file's name: who opened it puts that before the message.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw std::runtime_error(fmt::format(text, std::forward<Args>(args)...));
}

// The local header of a zip entry, and the descriptor that may follow its data.
constexpr size_t kFlagsOffset = 6, kCrcOffset = 14, kHeaderSize = 30;
constexpr uint16_t kCrcFollowsData = 1 << 3;
constexpr uint32_t kDescriptorMark = 0x08074b50;

template <class T>
T read_little_endian(const unsigned char* bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(bytes[i]) << (8 * i);
  return value;
}

std::shared_ptr<caffe2::serialize::ReadAdapterInterface> open(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) fail("no such file");
  if (!std::filesystem::is_regular_file(path)) fail("it is not a regular file");
  return std::make_shared<caffe2::serialize::FileAdapter>(path.string());
}

uint32_t crc_of(const void* data, size_t size) {
  return static_cast<uint32_t>(crc32_z(0, static_cast<const unsigned char*>(data), size));
}

}  // namespace

uint64_t span_of(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, uint64_t offset,
                 const std::string& name) {
  uint64_t span = offset;
  bool overflows = false;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) return 0;
    uint64_t step = 0;
    overflows |=
        c10::mul_overflows(static_cast<uint64_t>(sizes[i] - 1), static_cast<uint64_t>(strides[i]), &step);
    overflows |= c10::add_overflows(span, step, &span);
  }
  overflows |= c10::add_overflows(span, uint64_t{1}, &span);
  if (overflows) fail("tensor '{}': its sizes [{}] are too large", name, fmt::join(sizes, ", "));
  return span;
}

ZipArchive::ZipArchive(const std::filesystem::path& path) : ZipArchive(open(path)) {}

ZipArchive::ZipArchive(std::shared_ptr<caffe2::serialize::ReadAdapterInterface> source)
    : file_(std::move(source)) {
  reader_ = std::make_unique<caffe2::serialize::PyTorchStreamReader>(file_);
  records_ = reader_->getAllRecords();
  const std::set<std::string> distinct(records_.begin(), records_.end());
  if (distinct.size() != records_.size()) fail("two records have the same name");
}

ZipArchive::~ZipArchive() = default;

bool ZipArchive::has(const std::string& record) const {
  return std::find(records_.begin(), records_.end(), record) != records_.end();
}

size_t ZipArchive::size(const std::string& record) const {
  if (!has(record)) fail("record '{}' is missing", record);
  const auto size = reader_->getRecordSize(record);
  if (size > file_->size())
    fail("record '{}' has {} bytes but the whole file has {}", record, size, file_->size());
  return size;
}

std::string ZipArchive::text(const std::string& record) const {
  std::string content(size(record), '\0');
  if (!content.empty()) reader_->getRecord(record, content.data(), content.size());
  check_crc(record, content.data(), content.size());
  return content;
}

c10::Storage ZipArchive::storage(const std::string& record) const {
  const auto bytes = size(record);
  auto [data, count] = reader_->getRecord(record);
  if (count != bytes) fail("record '{}' has {} bytes but {} were read", record, bytes, count);
  check_crc(record, data.get(), bytes);
  return c10::Storage(c10::Storage::use_byte_size_t(), bytes, std::move(data), nullptr, false);
}

void ZipArchive::check_crc(const std::string& record, const void* data, size_t size) const {
  unsigned char header[kHeaderSize];
  file_->read(reader_->getRecordHeaderOffset(record), header, kHeaderSize, "zip header");
  auto expected = read_little_endian<uint32_t>(header + kCrcOffset);
  if (read_little_endian<uint16_t>(header + kFlagsOffset) & kCrcFollowsData) {
    unsigned char descriptor[8];
    file_->read(reader_->getRecordOffset(record) + size, descriptor, sizeof(descriptor),
                "zip data descriptor");
    if (read_little_endian<uint32_t>(descriptor) != kDescriptorMark) fail("record '{}' is corrupt", record);
    expected = read_little_endian<uint32_t>(descriptor + 4);
  }
  // torch.serialization.set_crc32_options(False) writes none.
  if (expected != 0 && crc_of(data, size) != expected) fail("record '{}' is corrupt: wrong checksum", record);
}

}  // namespace inn
