#include "inn/core/zip_archive.h"

#include <ATen/ATen.h>
#include <caffe2/serialize/inline_container.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <zlib.h>

#include <fstream>
#include <sstream>

#include "inn/core/unpickle.h"
#include "inn/core/zip_archive_writer.h"
#include "temporary_folder.h"

namespace inn {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

/// Writes stored zip entries by hand, so that the directory may say what no writer would.
class HandMadeZip {
 public:
  /// Adds an entry of its own. Returns where its local header stands.
  uint32_t add(const std::string& name, const std::string& content) {
    const auto header = static_cast<uint32_t>(bytes_.size());
    put(bytes_, {0x04034b50, 4});
    put_common(bytes_, name, content);
    bytes_ += name + content;
    list(name, content, header);
    return header;
  }
  /// Adds an entry to the directory alone: a further name of the bytes at `header`.
  void list(const std::string& name, const std::string& content, uint32_t header) {
    put(directory_, {0x02014b50, 4});
    put(directory_, {20, 2});
    put_common(directory_, name, content);
    for (const size_t bytes : {2, 2, 2, 4}) put(directory_, {0, bytes});  // comment, disk, attributes
    put(directory_, {header, 4});
    directory_ += name;
    ++count_;
  }
  void write(const std::filesystem::path& path) const {
    std::string end;
    put(end, {0x06054b50, 4});
    put(end, {0, 4});
    put(end, {count_, 2});
    put(end, {count_, 2});
    put(end, {static_cast<uint32_t>(directory_.size()), 4});
    put(end, {static_cast<uint32_t>(bytes_.size()), 4});
    put(end, {0, 2});
    std::ofstream(path, std::ios::binary) << bytes_ << directory_ << end;
  }

 private:
  struct Number {
    uint32_t value;
    size_t bytes;
  };
  static void put(std::string& to, Number number) {
    for (size_t i = 0; i < number.bytes; ++i) to += static_cast<char>(number.value >> (8 * i) & 0xff);
  }
  static void put_common(std::string& to, const std::string& name, const std::string& content) {
    const auto size = static_cast<uint32_t>(content.size());
    const auto crc = crc32_z(0, reinterpret_cast<const unsigned char*>(content.data()), content.size());
    for (const Number number : {Number{20, 2}, {0, 2}, {0, 2}, {0, 2}, {0, 2}}) put(to, number);
    for (const Number number : {Number{static_cast<uint32_t>(crc), 4}, {size, 4}, {size, 4}}) put(to, number);
    put(to, {static_cast<uint32_t>(name.size()), 2});
    put(to, {0, 2});
  }

  std::string bytes_, directory_;
  uint32_t count_ = 0;
};

TEST(ZipArchive, ReadsRecordsThatStandApart) {
  const TemporaryFolder folder;
  HandMadeZip zip;
  zip.add("net/version", "3\n");
  zip.add("net/weights", std::string(1000, 'w'));
  zip.write(folder / "apart.pt2");
  EXPECT_EQ(ZipArchive(folder / "apart.pt2").text("weights"), std::string(1000, 'w'));
}

TEST(ZipArchive, RefusesRecordsThatShareBytes) {
  // 50 records of 100 kB in a file of 100 kB, each whole by itself.
  const TemporaryFolder folder;
  HandMadeZip zip;
  zip.add("net/version", "3\n");
  const std::string large(100'000, 'w');
  const auto header = zip.add("net/w_0", large);
  for (int i = 1; i < 50; ++i) zip.list("net/w_" + std::to_string(i), large, header);
  zip.write(folder / "shared.pt2");
  EXPECT_THAT([&] { ZipArchive archive(folder / "shared.pt2"); },
              ThrowsMessage<std::runtime_error>(HasSubstr("share bytes of the file")));
}

TEST(ZipArchive, ReadsAStorageOnceWhileItIsInUse) {
  const TemporaryFolder folder;
  {
    caffe2::serialize::PyTorchStreamWriter writer((folder / "a.pt").string());
    writer.writeRecord("w", "12345678", 8);
    writer.writeEndOfFile();
  }
  const ZipArchive archive(folder / "a.pt");
  const auto first = archive.storage("w"), second = archive.storage("w");
  EXPECT_EQ(first.data(), second.data());
}

/// Of a file that is so large that its records stay in it.
TEST(ZipArchive, ChecksAndKeepsTheBytesOfALargeFile) {
  const TemporaryFolder folder;
  const auto path = folder / "large.pt";
  const at::Tensor numbers = at::arange(int64_t{17} << 20, at::kInt);
  {
    std::ofstream stream(path, std::ios::binary);
    ZipArchiveWriter archive(stream);
    archive.write("numbers", numbers.const_data_ptr(), numbers.nbytes());
    archive.finish();
  }
  const auto read = [&](FileBytes bytes) {
    return at::empty({0}, at::kInt)
        .set_(ZipArchive(path, bytes).storage("numbers"), 0, {numbers.numel()}, {1});
  };
  for (const auto bytes : {FileBytes::read, FileBytes::mapped}) EXPECT_TRUE(at::equal(read(bytes), numbers));
  {
    std::fstream stream(path, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(numbers.nbytes() / 2).put('x');
  }
  for (const auto bytes : {FileBytes::read, FileBytes::mapped})
    EXPECT_THAT([&] { read(bytes); }, ThrowsMessage<std::runtime_error>(HasSubstr("wrong checksum")));
}

TEST(ZipArchive, BoundsTensorsByTheRecordAndTheFile) {
  const TemporaryFolder folder;
  {
    caffe2::serialize::PyTorchStreamWriter writer((folder / "a.pt").string());
    writer.writeRecord("w", std::string(80, 'w').data(), 80);
    writer.writeEndOfFile();
  }
  const ZipArchive archive(folder / "a.pt");
  EXPECT_EQ(archive.span({{4, 5}, {5, 1}, 0, 4}, "w", "t"), 20u);
  EXPECT_EQ(archive.span({{1000, 20}, {0, 1}, 0, 4}, "w", "t"), 20u);  // expanded
  EXPECT_EQ(archive.span({{0, 5}, {5, 1}, 7, 4}, "w", "t"), 0u);
  const auto refused = [&](const TensorLayout& layout, const char* message) {
    EXPECT_THAT([&] { archive.span(layout, "w", "t"); },
                ThrowsMessage<std::runtime_error>(AllOf(HasSubstr("'t'"), HasSubstr(message))));
  };
  constexpr auto kLargest = std::numeric_limits<int64_t>::max();
  refused({{4, 5}, {5, 1}, 1, 4}, "need 21 elements");
  refused({{2}, {kLargest}, 1, 4}, "need");
  refused({{3, 2}, {kLargest, 1}, 0, 4}, "too large");
  refused({{kLargest, 2}, {0, 1}, 0, 4}, "too large");
  refused({{int64_t{1} << 40, int64_t{1} << 40, 0}, {1, 1, 1}, 0, 4}, "too large");
  refused({{int64_t{1} << 30}, {0}, 0, 4}, "repeat 1 elements too often");
}

/// Writes a list of two tensors, and what `edit` makes of its pickle.
template <class Edit>
std::filesystem::path pickled(const TemporaryFolder& folder, const Edit& edit) {
  const auto bytes = torch::jit::pickle_save(c10::List<at::Tensor>({at::zeros({4}), at::ones({4})}));
  std::istringstream stream(std::string(bytes.begin(), bytes.end()));
  caffe2::serialize::PyTorchStreamReader reader(&stream);
  const auto path = folder / "list.pt";
  caffe2::serialize::PyTorchStreamWriter writer(path.string());
  for (const std::string name : {"data.pkl", "data/0", "data/1"}) {
    const auto [data, size] = reader.getRecord(name);
    std::string content(static_cast<const char*>(data.get()), size);
    if (name == "data.pkl") edit(content);
    writer.writeRecord(name, content.data(), content.size());
  }
  writer.writeEndOfFile();
  return path;
}

TEST(Unpickle, TensorsOfOneRecordShareItsMemory) {
  const TemporaryFolder folder;
  const std::string second("X\x01\x00\x00\x00\x31", 6);  // the key "1", as the pickle holds it
  const auto path = pickled(folder, [&](std::string& pickle) {
    const auto place = pickle.find(second);
    ASSERT_NE(place, std::string::npos);
    pickle[place + 5] = '0';
  });
  const auto tensors = unpickle(ZipArchive(path), "data").toListRef().vec();
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_TRUE(tensors[0].toTensor().is_alias_of(tensors[1].toTensor()) ||
              tensors[0].toTensor().data_ptr() == tensors[1].toTensor().data_ptr());
}

TEST(Unpickle, LooksNoClassUp) {
  const TemporaryFolder folder;
  const auto path = pickled(folder, [](std::string& pickle) {
    // GLOBAL __torch__.Thing, called on an empty tuple.
    pickle =
        "\x80\x02"
        "c__torch__\nThing\n)\x81}b.";
  });
  EXPECT_ANY_THROW(unpickle(ZipArchive(path), "data"));
}

}  // namespace
}  // namespace inn
