// Storages whose bytes stay in a file.

#include "inn/core/mapped_file.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "temporary_folder.h"

namespace inn {
namespace {

constexpr size_t kNumbers = 4096;

/// A file of the numbers 0, 1, ….
std::filesystem::path file_of_numbers(const TemporaryFolder& folder) {
  const auto path = folder / "numbers";
  const auto numbers = at::arange(static_cast<int64_t>(kNumbers), at::kFloat);
  std::ofstream(path, std::ios::binary)
      .write(static_cast<const char*>(numbers.const_data_ptr()),
             static_cast<std::streamsize>(numbers.nbytes()));
  return path;
}

/// The numbers from `first` on, in the file.
at::Tensor mapped(const MappedFile& file, size_t first) {
  const size_t bytes = (kNumbers - first) * sizeof(float);
  c10::Storage storage(c10::Storage::use_byte_size_t(), bytes, file.part(first * sizeof(float)), nullptr,
                       false);
  return at::empty({0}, at::kFloat).set_(storage, 0, {static_cast<int64_t>(kNumbers - first)}, {1});
}

TEST(MappedFile, HoldsTheFilesBytesAndOutlivesItsHandleAndTheFile) {
  const TemporaryFolder folder;
  const auto path = file_of_numbers(folder);
  at::Tensor numbers;
  {
    const MappedFile file(path, std::filesystem::file_size(path));
    numbers = mapped(file, 5);
  }
  std::filesystem::remove(path);
  EXPECT_TRUE(at::equal(numbers, at::arange(5, static_cast<int64_t>(kNumbers), at::kFloat)));
}

TEST(MappedFile, KeepsWhatWasWrittenToItAndLeavesTheFileAsItWas) {
  const TemporaryFolder folder;
  const auto path = file_of_numbers(folder);
  const MappedFile file(path, std::filesystem::file_size(path));
  const auto numbers = mapped(file, 0);
  numbers[7] = -1;
  release_pages(numbers);
  EXPECT_EQ(numbers[7].item<float>(), -1);
  EXPECT_EQ(numbers[4000].item<float>(), 4000);
  EXPECT_EQ(mapped(MappedFile(path, std::filesystem::file_size(path)), 0)[7].item<float>(), 7);
}

int64_t resident_bytes() {
  int64_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

TEST(MappedFile, GivesMemoryBackUntilItIsUsedAgain) {
  const TemporaryFolder folder;
  constexpr int64_t kBytes = int64_t{64} << 20;
  const auto path = folder / "large";
  {
    std::ofstream stream(path, std::ios::binary);
    const std::string part(size_t{1} << 20, 'x');
    for (int64_t written = 0; written < kBytes; written += int64_t{1} << 20) stream << part;
  }
  const MappedFile file(path, kBytes);
  const c10::Storage storage(c10::Storage::use_byte_size_t(), kBytes, file.part(0), nullptr, false);
  const auto bytes = at::empty({0}, at::kByte).set_(storage, 0, {kBytes}, {1});
  const auto sum = [&] { return bytes.sum(at::kLong).item<int64_t>(); };
  EXPECT_EQ(sum(), kBytes * 'x');
  const int64_t before = resident_bytes();
  release_pages(bytes);
  EXPECT_LT(resident_bytes(), before - kBytes / 2);
  EXPECT_EQ(sum(), kBytes * 'x');
}

TEST(MappedFile, ReleasesNothingOfOtherTensors) {
  const auto numbers = at::arange(100000);
  release_pages(numbers);
  release_pages(at::Tensor());
  EXPECT_TRUE(at::equal(numbers, at::arange(100000)));
}

TEST(MappedFile, RefusesAFileThatIsShorter) {
  const TemporaryFolder folder;
  const auto path = file_of_numbers(folder);
  EXPECT_ANY_THROW(MappedFile(path, std::filesystem::file_size(path) + 1));
  EXPECT_ANY_THROW(MappedFile(folder / "missing", 16));
}

}  // namespace
}  // namespace inn
