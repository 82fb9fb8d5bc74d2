#include "inn/core/mapped_file.h"

#include <ATen/MapAllocator.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace inn {
namespace {

using Mapping = std::shared_ptr<at::MapAllocator>;

/// Also the mark by which bytes of a mapped file are known.
void delete_mapping(void* context) { delete static_cast<Mapping*>(context); }

/// Whether pages `first`, … of this process still are those of the file, by what the system says of each page (pagemap, 64 bits a
/// page). What was written to would be lost.
bool are_unwritten(std::uintptr_t first, size_t count) {
  constexpr uint64_t kPresent = uint64_t{1} << 63, kSwapped = uint64_t{1} << 62, kOfFile = uint64_t{1} << 61;
  const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return false;
  std::vector<uint64_t> pages(count);
  const auto bytes = static_cast<ssize_t>(count * sizeof(uint64_t));
  const bool is_known = pread(pagemap, pages.data(), count * sizeof(uint64_t),
                              static_cast<off_t>(first * sizeof(uint64_t))) == bytes;
  close(pagemap);
  if (!is_known) return false;
  return std::all_of(pages.begin(), pages.end(), [](uint64_t page) {
    return (page & kSwapped) == 0 && ((page & kPresent) == 0 || (page & kOfFile) != 0);
  });
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path, size_t size)
    : mapping_(std::make_shared<at::MapAllocator>(path.string(), /*flags=*/0, size)) {}

c10::DataPtr MappedFile::part(size_t begin) const {
  return {static_cast<char*>(mapping_->data()) + begin, new Mapping(mapping_), delete_mapping,
          c10::Device(c10::kCPU)};
}

void release_pages(const c10::Storage& storage) {
  if (storage.data_ptr().get_deleter() != delete_mapping) return;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(storage.data()), end = begin + storage.nbytes();
  const auto first = (begin + page - 1) / page, last = end / page;
  // The system keeps the pages in its cache of the file, while it has memory to spare.
  if (first < last && are_unwritten(first, last - first))
    madvise(reinterpret_cast<void*>(first * page), (last - first) * page, MADV_DONTNEED);
}

void release_pages(const at::Tensor& tensor) {
  if (tensor.defined() && tensor.has_storage()) release_pages(tensor.storage());
}

void release_free_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace inn
