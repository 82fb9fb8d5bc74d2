#include "inn/core/zip_archive.h"

#include <c10/util/safe_numerics.h>
#include <caffe2/serialize/file_adapter.h>
#include <caffe2/serialize/inline_container.h>
#include <fmt/ranges.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "inn/core/failure.h"

namespace inn {
namespace {

// The local header of a zip entry, and the descriptor that may follow its data.
constexpr size_t kFlagsOffset = 6, kMethodOffset = 8, kCrcOffset = 14, kHeaderSize = 30;
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

/// Files from this size on may be mapped, and records in them that begin at a multiple of this.
constexpr uint64_t kLeastMapped = uint64_t{64} << 20, kAlignment = 16;
/// What compressed records may have beyond the file's size.
constexpr uint64_t kMostInflated = uint64_t{64} << 20;
/// What copies of tensors with repeated elements may take beyond the file's size.
constexpr uint64_t kRepeatedBytes = uint64_t{64} << 20;

[[noreturn]] void fail_too_large(const std::string& tensor, const std::vector<int64_t>& sizes) {
  fail("tensor '{}': its sizes [{}] are too large", tensor, fmt::join(sizes, ", "));
}

/// Returns how many elements the tensor spans from the start of its storage, 0 where it has none.
uint64_t span_of(const TensorLayout& layout, const std::string& tensor) {
  uint64_t span = layout.offset;
  bool overflows = false;
  for (size_t i = 0; i < layout.sizes.size(); ++i) {
    if (layout.sizes[i] == 0) return 0;
    uint64_t step = 0;
    overflows |= c10::mul_overflows(static_cast<uint64_t>(layout.sizes[i] - 1),
                                    static_cast<uint64_t>(layout.strides[i]), &step);
    overflows |= c10::add_overflows(span, step, &span);
  }
  overflows |= c10::add_overflows(span, uint64_t{1}, &span);
  if (overflows) fail_too_large(tensor, layout.sizes);
  return span;
}

/// Returns the bytes of a copy of the tensor.
uint64_t bytes_of(const TensorLayout& layout, const std::string& tensor) {
  uint64_t bytes = layout.element_bytes;
  bool overflows = false;
  for (const auto size : layout.sizes)
    overflows |= c10::mul_overflows(bytes, static_cast<uint64_t>(size), &bytes);
  if (overflows || bytes > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    fail_too_large(tensor, layout.sizes);
  return bytes;
}

}  // namespace

ZipArchive::ZipArchive(const std::filesystem::path& path, FileBytes bytes) : ZipArchive(open(path)) {
  if (bytes == FileBytes::mapped && file_->size() >= kLeastMapped) mapped_.emplace(path, file_->size());
}

ZipArchive::ZipArchive(std::shared_ptr<caffe2::serialize::ReadAdapterInterface> source)
    : file_(std::move(source)) {
  reader_ = std::make_unique<caffe2::serialize::PyTorchStreamReader>(file_);
  records_ = reader_->getAllRecords();
  find_places();
  check_places();
}

void ZipArchive::find_places() {
  for (const auto& record : records_) {
    Place place{.header = reader_->getRecordHeaderOffset(record),
                .data = reader_->getRecordOffset(record),
                .bytes = reader_->getRecordSize(record),
                .is_compressed = false};
    unsigned char header[kHeaderSize];
    file_->read(place.header, header, kHeaderSize, "zip header");
    place.is_compressed = read_little_endian<uint16_t>(header + kMethodOffset) != 0;
    if (!places_.emplace(record, place).second) fail("two records have the same name");
  }
}

void ZipArchive::check_places() const {
  struct Extent {
    uint64_t begin, end;
    const std::string* record;
  };
  std::vector<Extent> extents;
  uint64_t inflated = 0;
  for (const auto& record : records_) {
    const auto& [header, data, held, is_compressed] = place(record);
    const auto bytes = size(record);
    // TorchScript's code is compressed: what it takes in the file is not known here, but little of it is there.
    if (is_compressed) inflated += bytes;
    extents.push_back({header, data + (is_compressed ? 0 : bytes), &record});
  }
  if (inflated > file_->size() + kMostInflated)
    fail("its compressed records have {} bytes but the whole file has {}", inflated, file_->size());
  std::sort(extents.begin(), extents.end(),
            [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  for (size_t i = 1; i < extents.size(); ++i)
    if (extents[i].begin < extents[i - 1].end)
      fail("the records '{}' and '{}' share bytes of the file", *extents[i - 1].record, *extents[i].record);
  if (!extents.empty() && extents.back().end > file_->size())
    fail("record '{}' ends beyond the file", *extents.back().record);
}

ZipArchive::~ZipArchive() = default;

bool ZipArchive::has(const std::string& record) const { return places_.contains(record); }

const ZipArchive::Place& ZipArchive::place(const std::string& record) const {
  const auto found = places_.find(record);
  if (found == places_.end()) fail("record '{}' is missing", record);
  return found->second;
}

size_t ZipArchive::size(const std::string& record) const {
  const auto bytes = place(record).bytes;
  if (bytes > file_->size())
    fail("record '{}' has {} bytes but the whole file has {}", record, bytes, file_->size());
  return bytes;
}

std::string ZipArchive::text(const std::string& record) const {
  std::string content(size(record), '\0');
  if (!content.empty()) reader_->getRecord(record, content.data(), content.size());
  check_crc(record, content.data(), content.size());
  return content;
}

c10::Storage ZipArchive::storage(const std::string& record) const {
  if (const auto found = storages_.find(record); found != storages_.end())
    if (auto held = found->second.lock()) return c10::Storage(std::move(held));
  c10::Storage storage(c10::Storage::use_byte_size_t(), size(record), content(record), nullptr, false);
  check_crc(record, storage.data(), storage.nbytes());
  release_pages(storage);
  storages_.insert_or_assign(record, storage.getWeakStorageImpl());
  return storage;
}

c10::DataPtr ZipArchive::content(const std::string& record) const {
  const auto bytes = size(record);
  const auto& at = place(record);
  if (mapped_ && !at.is_compressed && at.data % kAlignment == 0) return mapped_->part(at.data);
  auto [data, count] = reader_->getRecord(record);
  if (count != bytes) fail("record '{}' has {} bytes but {} were read", record, bytes, count);
  return std::move(data);
}

uint64_t ZipArchive::span(const TensorLayout& layout, const std::string& record,
                          const std::string& tensor) const {
  const auto held = size(record) / layout.element_bytes;
  const auto span = span_of(layout, tensor);
  if (span > held)
    fail("tensor '{}': sizes [{}] need {} elements of {} bytes but record '{}' has {}", tensor,
         fmt::join(layout.sizes, ", "), span, layout.element_bytes, record, held);
  const auto bytes = bytes_of(layout, tensor);
  if (bytes / layout.element_bytes > span) repeated_bytes_ += bytes;
  if (bytes > file_->size() + kRepeatedBytes || repeated_bytes_ > file_->size() + kRepeatedBytes)
    fail("tensor '{}': its sizes [{}] repeat {} elements too often for a file of {} bytes", tensor,
         fmt::join(layout.sizes, ", "), span, file_->size());
  return span;
}

void ZipArchive::check_crc(const std::string& record, const void* data, size_t size) const {
  const auto& [header_offset, data_offset, bytes, is_compressed] = place(record);
  unsigned char header[kHeaderSize];
  file_->read(header_offset, header, kHeaderSize, "zip header");
  auto expected = read_little_endian<uint32_t>(header + kCrcOffset);
  if (read_little_endian<uint16_t>(header + kFlagsOffset) & kCrcFollowsData) {
    // Where compressed data end is not known here; inflating has checked their form.
    if (is_compressed) return;
    unsigned char descriptor[8];
    file_->read(data_offset + size, descriptor, sizeof(descriptor), "zip data descriptor");
    if (read_little_endian<uint32_t>(descriptor) != kDescriptorMark) fail("record '{}' is corrupt", record);
    expected = read_little_endian<uint32_t>(descriptor + 4);
  }
  // torch.serialization.set_crc32_options(False) writes none.
  if (expected != 0 && crc_of(data, size) != expected) fail("record '{}' is corrupt: wrong checksum", record);
}

}  // namespace inn
