#include "inn/data/dataset.h"
#include "temporary_folder.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <fstream>

namespace inn {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using Bytes = std::string;

Bytes big_endian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

/// An IDX file, made from the format's description.
Bytes idx(const std::vector<uint32_t>& sizes, const Bytes& content) {
  Bytes bytes{'\0', '\0', '\x08', static_cast<char>(sizes.size())};
  for (const uint32_t size : sizes) bytes += big_endian(size);
  return bytes + content;
}

Bytes counting(size_t count) {
  Bytes bytes(count, '\0');
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(i * 7 % 251);
  return bytes;
}

at::Tensor counting_tensor(at::IntArrayRef sizes, int64_t start = 0) {
  return (at::arange(start, start + c10::multiply_integers(sizes), at::kLong) * 7 % 251)
      .to(at::kByte)
      .view(sizes);
}

class OpenDataset : public testing::Test {
 protected:
  void write(const std::string& name, const Bytes& content) const {
    std::ofstream(folder_ / name, std::ios::binary)
        .write(content.data(), static_cast<std::streamsize>(content.size()));
  }
  void write_gz(const std::string& name, const Bytes& content) const {
    gzFile file = gzopen((folder_ / name).c_str(), "wb");
    gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
    gzclose(file);
  }
  Dataset open(Split split) const { return open_dataset(folder_.path().string(), split); }
  std::string failure(Split split) const {
    try {
      open(split);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "no error";
  }
  void write_idx_train() const {
    write("train-images-idx3-ubyte", idx({5, 4, 3}, counting(60)));
    write("train-labels-idx1-ubyte", idx({5}, Bytes{0, 1, 2, 1, 3}));
  }
  static Bytes cifar10_batch(size_t records, char first_label) {
    Bytes bytes;
    for (size_t i = 0; i < records; ++i)
      bytes += static_cast<char>(first_label + static_cast<char>(i)) + counting(3072);
    return bytes;
  }

  TemporaryFolder folder_;
};

TEST_F(OpenDataset, ReadsIdxPlainAndCompressed) {
  write_idx_train();
  write_gz("t10k-images-idx3-ubyte.gz", idx({2, 4, 3}, counting(24)));
  write_gz("t10k-labels-idx1-ubyte.gz", idx({2}, Bytes{9, 0}));
  const Dataset train = open(Split::train), test = open(Split::test);
  EXPECT_TRUE(at::equal(train.inputs, counting_tensor({5, 1, 4, 3})));
  EXPECT_TRUE(at::equal(train.labels, at::tensor({0, 1, 2, 1, 3}, at::kLong)));
  EXPECT_THAT(train.class_names, testing::ElementsAre("0", "1", "2", "3"));
  EXPECT_TRUE(at::equal(test.inputs, counting_tensor({2, 1, 4, 3})));
  EXPECT_TRUE(at::equal(test.labels, at::tensor({9, 0}, at::kLong)));
  EXPECT_EQ(open(Split::any).size(), 5);
  EXPECT_EQ(train.source, folder_.path().string());
}

TEST_F(OpenDataset, ReadsASingleIdxFileWithoutLabels) {
  write_gz("pictures.gz", idx({2, 3, 4, 3}, counting(72)));
  const Dataset dataset = open_dataset((folder_ / "pictures.gz").string(), Split::test);
  EXPECT_TRUE(at::equal(dataset.inputs, counting_tensor({2, 3, 4, 3})));
  EXPECT_FALSE(dataset.labels.defined());
}

TEST_F(OpenDataset, ServesTheOnlySplitWhereAnyIsAsked) {
  write("test-images-idx3-ubyte", idx({1, 2, 2}, counting(4)));
  write("test-labels-idx1-ubyte", idx({1}, Bytes{5}));
  EXPECT_EQ(open(Split::any).size(), 1);
  EXPECT_EQ(failure(Split::train), "[data] File 'train-images-idx3-ubyte' (or .gz): not found in '" +
                                       folder_.path().string() + "'.");
}

TEST_F(OpenDataset, NamesTheIdxFileThatIsWrong) {
  write_idx_train();
  const auto fails = [&](const std::string& name, const Bytes& content, const std::string& reason) {
    write_idx_train();
    write(name, content);
    EXPECT_THAT(failure(Split::train), AllOf(HasSubstr(name), HasSubstr(reason)));
  };
  const std::string images = "train-images-idx3-ubyte", labels = "train-labels-idx1-ubyte";
  fails(images, "", "is truncated");
  fails(images, idx({5, 4, 3}, counting(59)), "is truncated");
  fails(images, idx({5, 4, 3}, counting(61)), "is too long");
  fails(images, idx({5, 0, 3}, ""), "the size 0");
  fails(images, idx({0xffffffff, 0xffffffff, 0xffffffff}, counting(60)), "the size 4294967295");
  fails(images, idx({0x7fffffff, 28, 28}, counting(60)), "is truncated: its header requires");
  fails(images, "PK" + counting(70), "is not an IDX file");
  fails(images, idx({5}, counting(5)), "does not contain images");
  fails(labels, idx({5, 1}, counting(5)), "does not contain labels");
  fails(labels, idx({4}, counting(4)), "has 4 labels");
  write_idx_train();
  fs::remove(folder_ / labels);
  EXPECT_THAT(failure(Split::train), HasSubstr("train-labels-idx1-ubyte"));
  // What is measured on needs no labels.
  EXPECT_EQ(open(Split::any).size(), 5);
  EXPECT_FALSE(open(Split::any).labels.defined());
}

TEST_F(OpenDataset, FindsDamageInCompressedFiles) {
  const std::string name = "train-images-idx3-ubyte.gz";
  write("train-labels-idx1-ubyte", idx({500}, Bytes(500, '\1')));
  Bytes noise(500 * 784, '\0');
  for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<char>(i * 2654435761U >> 13);
  write_gz(name, idx({500, 28, 28}, noise));
  EXPECT_EQ(failure(Split::train), "no error");
  std::ifstream file(folder_ / name, std::ios::binary);
  const Bytes good{std::istreambuf_iterator<char>(file), {}};
  write(name, good.substr(0, good.size() / 2));
  EXPECT_THAT(failure(Split::train), AllOf(HasSubstr(name), HasSubstr("corrupt or truncated")));
  Bytes flipped = good;
  flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 0x10);
  write(name, flipped);
  EXPECT_THAT(failure(Split::train), AllOf(HasSubstr(name), HasSubstr("corrupt")));
  write_gz(name, idx({0x7fffffff, 0x7fff, 1}, ""));
  EXPECT_THAT(failure(Split::train), AllOf(HasSubstr(name), HasSubstr("its header requires")));
}

TEST_F(OpenDataset, ReadsCifar10) {
  write("data_batch_1.bin", cifar10_batch(3, 2));
  write("data_batch_2.bin", cifar10_batch(2, 7));
  write("test_batch.bin", cifar10_batch(1, 9));
  const Dataset train = open(Split::train);
  EXPECT_TRUE(at::equal(train.labels, at::tensor({2, 3, 4, 7, 8}, at::kLong)));
  EXPECT_TRUE(at::equal(train.inputs, counting_tensor({1, 3, 32, 32}).expand({5, 3, 32, 32})));
  EXPECT_EQ(train.class_names.at(2), "bird");
  EXPECT_EQ(open(Split::test).size(), 1);
  EXPECT_EQ(open(Split::any).size(), 5);
  EXPECT_EQ(open_dataset((folder_ / "data_batch_2.bin").string(), Split::test).size(), 2);
  write("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  EXPECT_EQ(open(Split::test).class_names.at(2), "c");
}

TEST_F(OpenDataset, ReadsCifar100ByItsFineLabels) {
  write("train.bin", Bytes{5, 99} + counting(3072) + Bytes{6, 0} + counting(3072));
  const Dataset train = open(Split::train);
  EXPECT_TRUE(at::equal(train.labels, at::tensor({99, 0}, at::kLong)));
  EXPECT_TRUE(at::equal(train.inputs[1], counting_tensor({3, 32, 32})));
  EXPECT_EQ(train.class_names.size(), 100u);
  EXPECT_THAT(failure(Split::test), AllOf(HasSubstr("test.bin"), HasSubstr("not found")));
}

TEST_F(OpenDataset, NamesTheCifarFileThatIsWrong) {
  write("data_batch_1.bin", cifar10_batch(1, 0));
  EXPECT_THAT(failure(Split::test), AllOf(HasSubstr("test_batch.bin"), HasSubstr("not found")));
  write("data_batch_3.bin", cifar10_batch(1, 0));
  EXPECT_THAT(failure(Split::train), AllOf(HasSubstr("data_batch_2.bin"), HasSubstr("not found")));
  write("data_batch_2.bin", cifar10_batch(1, 0).substr(1));
  EXPECT_THAT(failure(Split::train), AllOf(HasSubstr("data_batch_2.bin"),
                                           HasSubstr("expected a multiple of 3073 bytes but got 3072")));
  write("data_batch_2.bin", "");
  EXPECT_THAT(failure(Split::train), HasSubstr("data_batch_2.bin"));
  write("data_batch_2.bin", cifar10_batch(1, 10));
  EXPECT_THAT(failure(Split::train), HasSubstr("labels must be in [0, 9] but one is 10"));
}

TEST_F(OpenDataset, SaysWhatItKnowsWhereItKnowsNothing) {
  write("notes.txt", "hello");
  EXPECT_THAT(failure(Split::any),
              AllOf(HasSubstr("found notes.txt"), HasSubstr("cifar-100"), HasSubstr("idx")));
  EXPECT_THAT(
      [] { open_dataset("fashion-mnst", Split::train); },
      testing::ThrowsMessage<std::runtime_error>("[data] 'fashion-mnst': is not a folder, a file, or the "
                                                 "name of a data set. Did you mean 'fashion-mnist'?"));
  EXPECT_THROW(open_dataset((folder_ / "notes.txt").string(), Split::any), std::runtime_error);
}

TEST_F(OpenDataset, SaysWhichPackageHasAMissingSet) {
  register_named_dataset(
      {.name = "test-set", .folder = folder_ / "none", .package = "dataset-test", .class_names = {}});
  EXPECT_THAT([] { open_dataset("test-set", Split::train); },
              testing::ThrowsMessage<std::runtime_error>(HasSubstr("apt install dataset-test")));
}

TEST(DatasetFormats, RefuseANameThatIsTaken) {
  for (const auto& format : dataset_formats()) {
    EXPECT_FALSE(format.contents.empty());
    EXPECT_THROW(register_dataset_format({.name = format.name, .contents = "", .recognizes = {}, .read = {}}),
                 std::invalid_argument);
  }
  for (const auto& named : named_datasets()) {
    EXPECT_THROW(register_named_dataset({.name = named.name, .folder = {}, .package = {}, .class_names = {}}),
                 std::invalid_argument);
  }
}

TEST_F(OpenDataset, FormatsAddedLaterAreTriedToo) {
  write("mine.own", "");
  register_dataset_format({.name = "own",
                           .contents = "mine.own",
                           .recognizes = [](const fs::path& path) { return fs::exists(path / "mine.own"); },
                           .read =
                               [](const fs::path&, Split) {
                                 return Dataset{.inputs = at::zeros({3, 1, 2, 2}, at::kByte)};
                               }});
  EXPECT_EQ(open(Split::any).size(), 3);
}

TEST(Dataset, FirstSharesItsMemory) {
  Dataset dataset{
      .inputs = counting_tensor({4, 1, 2, 2}), .labels = at::arange(4), .class_names = {}, .source = "x"};
  const Dataset part = dataset.first(2);
  EXPECT_EQ(part.size(), 2);
  EXPECT_EQ(part.inputs.data_ptr(), dataset.inputs.data_ptr());
  EXPECT_TRUE(at::equal(part.labels, at::arange(2)));
  EXPECT_THROW(dataset.first(0), std::invalid_argument);
  EXPECT_THROW(dataset.first(5), std::invalid_argument);
}

TEST(FashionMnist, HasItsPublishedShape) {
  if (!fs::exists(named_datasets()[0].folder))
    GTEST_SKIP() << "Debian's dataset-fashion-mnist is not installed";
  const Dataset test = open_dataset("fashion-mnist", Split::test),
                train = open_dataset("fashion-mnist", Split::train);
  EXPECT_EQ(train.inputs.sizes(), at::IntArrayRef({60000, 1, 28, 28}));
  EXPECT_EQ(test.inputs.sizes(), at::IntArrayRef({10000, 1, 28, 28}));
  EXPECT_TRUE(at::equal(at::bincount(train.labels), at::full({10}, 6000, at::kLong)));
  EXPECT_TRUE(at::equal(at::bincount(test.labels), at::full({10}, 1000, at::kLong)));
  constexpr double kPublishedMean = 0.2860, kPublishedStd = 0.3530, kRounding = 5e-5;
  const at::Tensor pixels = train.inputs.to(at::kFloat) / 255;
  EXPECT_NEAR(pixels.mean().item<double>(), kPublishedMean, kRounding);
  EXPECT_NEAR(pixels.std().item<double>(), kPublishedStd, kRounding);
  EXPECT_EQ(test.class_names.at(9), "ankle boot");
}

TEST(Cifar10Subset, HasItsImagesAndNames) {
#ifdef INN_SHARED_DATA
  const char* shared = INN_SHARED_DATA;
#else
  const char* shared = std::getenv("INN_SHARED_DATA");
#endif
  if (shared == nullptr || !fs::exists(fs::path(shared) / "cifar10-test")) {
    GTEST_SKIP() << "set INN_SHARED_DATA to the folder that holds cifar10-test and cifar10-calibration";
  }
  const Dataset test = open_dataset(fs::path(shared) / "cifar10-test", Split::test);
  EXPECT_EQ(test.inputs.sizes(), at::IntArrayRef({2000, 3, 32, 32}));
  EXPECT_EQ(test.class_names.at(9), "truck");
  EXPECT_GT(at::bincount(test.labels, {}, 10).min().item<int64_t>(), 100);
  EXPECT_EQ(open_dataset(fs::path(shared) / "cifar10-calibration", Split::any).size(), 1000);
}

}  // namespace
}  // namespace inn
