#pragma once
// Storages whose bytes stay in a file.

#include <ATen/core/Tensor.h>
#include <c10/core/Allocator.h>
#include <c10/core/Storage.h>

#include <cstddef>
#include <filesystem>
#include <memory>

namespace at {
class MapAllocator;
}

namespace inn {

/// A file mapped into memory: its pages are read when they are first touched, and the system may take them back. What is
/// written to a page stays in memory; the file never changes. A file that is replaced by another of its name (as all of
/// ours are) stays readable; one that is cut short meanwhile ends the program, as with any mapping.
class MappedFile {
 public:
  /// Throws c10::Error if the file cannot be mapped, or has fewer than `size` bytes.
  MappedFile(const std::filesystem::path& path, size_t size);

  /// Returns the bytes from `begin` on, which keep the mapping alive.
  c10::DataPtr part(size_t begin) const;

 private:
  std::shared_ptr<at::MapAllocator> mapping_;
};

/// Gives the memory of unchanged bytes of a mapped file back to the system, until they are used again; does nothing for other
/// storages, and for pages that were written to.
void release_pages(const c10::Storage& storage);
void release_pages(const at::Tensor& tensor);

/// Gives memory that the allocator holds but nobody uses back to the system: where many large tensors are made and freed
/// one after another, it would otherwise keep a multiple of what is in use.
void release_free_memory();

}  // namespace inn
