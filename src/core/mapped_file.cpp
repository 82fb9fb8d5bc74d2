#include "inn/core/mapped_file.h"

#include <ATen/MapAllocator.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace inn {
namespace {

using Mapping = std::shared_ptr<at::MapAllocator>;

/// Also the mark by which bytes of a mapped file are known.
void delete_mapping(void* context) { delete static_cast<Mapping*>(context); }

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path, size_t size)
    : mapping_(std::make_shared<at::MapAllocator>(path.string(), /*flags=*/0, size)) {}

c10::DataPtr MappedFile::part(size_t begin) const {
  return {static_cast<char*>(mapping_->data()) + begin, new Mapping(mapping_), delete_mapping,
          c10::Device(c10::kCPU)};
}

void release_pages(const c10::Storage& storage) {
#ifdef MADV_PAGEOUT
  if (storage.data_ptr().get_deleter() != delete_mapping) return;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(storage.data()), end = begin + storage.nbytes();
  const auto first = (begin + page - 1) / page * page, last = end / page * page;
  // Unlike MADV_DONTNEED this keeps pages that were written to.
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_PAGEOUT);
#endif
}

void release_pages(const at::Tensor& tensor) {
  if (tensor.defined() && tensor.has_storage()) release_pages(tensor.storage());
}

}  // namespace inn
