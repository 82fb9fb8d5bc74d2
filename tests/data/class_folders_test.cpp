// Folders of image files as data sets.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "data/image_folder.h"
#include "inn/data/batches.h"
#include "inn/data/dataset.h"

namespace inn {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// Writes `count` small pictures into a folder.
void write_pictures(const TemporaryFolder& folder, const std::string& where, int64_t count,
                    int64_t seed = 0) {
  for (int64_t i = 0; i < count; ++i)
    write_png(folder / (where + "/" + std::to_string(i) + ".png"), picture(12, 10, seed + i));
}

/// The label of each file, by its path below the folder.
std::map<std::string, int64_t> labels_of(const Dataset& data, const TemporaryFolder& folder) {
  std::map<std::string, int64_t> labels;
  for (int64_t i = 0; i < data.size(); ++i)
    labels[data.files[i].substr(folder.path().string().size() + 1)] =
        data.labels.defined() ? data.labels[i].item<int64_t>() : -1;
  return labels;
}

TEST(ClassFolders, AreClassesInTheOrderOfTheirNames) {
  const TemporaryFolder folder;
  write_pictures(folder, "zebra", 2);
  write_pictures(folder, "ant", 1);
  write_pictures(folder, "bee/of/2020", 1);
  write_jpeg(folder / "bee/x.JPEG", picture(9, 9));
  write_bytes(folder / "bee/notes.txt", "no image");
  write_bytes(folder / "bee/.hidden.png", "no image");
  std::filesystem::create_directories(folder / ".cache");
  for (const Split split : {Split::train, Split::test, Split::any}) {
    const Dataset data = open_dataset(folder.path(), split);
    EXPECT_THAT(data.class_names, ElementsAre("ant", "bee", "zebra"));
    EXPECT_TRUE(data.holds_images());
    EXPECT_FALSE(data.inputs.defined());
    const std::map<std::string, int64_t> expected{{"ant/0.png", 0},
                                                  {"bee/of/2020/0.png", 1},
                                                  {"bee/x.JPEG", 1},
                                                  {"zebra/0.png", 2},
                                                  {"zebra/1.png", 2}};
    EXPECT_EQ(labels_of(data, folder), expected);
  }
}

TEST(ClassFolders, OfSplitsHaveTheClassesOfTheTrainingSplit) {
  const TemporaryFolder folder;
  write_pictures(folder, "train/a", 1);
  write_pictures(folder, "train/b", 1);
  write_pictures(folder, "train/c", 1);
  write_pictures(folder, "val/c", 2);
  const Dataset test = open_dataset(folder.path(), Split::test);
  EXPECT_EQ(test.class_names.size(), 3u);
  EXPECT_EQ(labels_of(test, folder),
            (std::map<std::string, int64_t>{{"val/c/0.png", 2}, {"val/c/1.png", 2}}));
  EXPECT_EQ(open_dataset(folder.path(), Split::train).size(), 3);
  EXPECT_EQ(open_dataset(folder.path(), Split::any).size(), 3);
  write_pictures(folder, "val/d", 1);
  EXPECT_THAT(message_of_error([&] { open_dataset(folder.path(), Split::test); }),
              HasSubstr("class 'd' does not occur in the training split"));
}

TEST(ClassFolders, SayWhichSplitIsMissing) {
  const TemporaryFolder folder;
  write_pictures(folder, "train/a", 1);
  EXPECT_THAT(message_of_error([&] { open_dataset(folder.path(), Split::test); }),
              HasSubstr("Folder 'test' with images: not found in '" + folder.path().string() + "'"));
  const TemporaryFolder other;
  write_pictures(other, "validation/a", 1);
  EXPECT_EQ(open_dataset(other.path(), Split::any).size(), 1);
  EXPECT_THAT(message_of_error([&] { open_dataset(other.path(), Split::train); }),
              HasSubstr("Folder 'train' with images: not found"));
}

TEST(ClassFolders, AFolderOfImagesHasNoLabels) {
  const TemporaryFolder folder;
  write_pictures(folder, ".", 3);
  const Dataset data = open_dataset(folder.path(), Split::any);
  EXPECT_EQ(data.size(), 3);
  EXPECT_FALSE(data.labels.defined());
  EXPECT_TRUE(data.class_names.empty());
}

TEST(ClassFolders, TheFirstFilesAreOfAllClasses) {
  const TemporaryFolder folder;
  for (int64_t c = 0; c < 4; ++c)
    for (int64_t i = 0; i < 25; ++i) write_bytes(folder / fmt::format("{}/{}.png", c, i), "not read yet");
  const Dataset data = open_dataset(folder.path(), Split::any);
  const Dataset first = data.first(32);
  EXPECT_EQ(first.size(), 32);
  EXPECT_EQ(first.labels.size(0), 32);
  std::set<int64_t> seen;
  for (int64_t i = 0; i < 32; ++i) {
    EXPECT_EQ(first.files[i], data.files[i]);
    seen.insert(first.labels[i].item<int64_t>());
  }
  EXPECT_EQ(seen.size(), 4u);
  EXPECT_EQ(labels_of(data, folder).size(), 100u);
  EXPECT_TRUE(at::equal(open_dataset(folder.path(), Split::any).labels, data.labels));
}

TEST(ClassFolders, SelectTakesFilesWithTheirLabels) {
  const TemporaryFolder folder;
  write_pictures(folder, "a", 3);
  write_pictures(folder, "b", 3);
  const Dataset data = open_dataset(folder.path(), Split::any);
  const Dataset part = data.select(at::tensor({5, 0, 3}, at::kLong));
  ASSERT_EQ(part.size(), 3);
  EXPECT_EQ(part.files[0], data.files[5]);
  EXPECT_EQ(part.files[2], data.files[3]);
  EXPECT_TRUE(at::equal(part.labels, data.labels.index_select(0, at::tensor({5, 0, 3}, at::kLong))));
  EXPECT_THROW(data.select(at::tensor({6}, at::kLong)), std::invalid_argument);
}

TEST(ClassFolders, RefuseImagesOfOtherKinds) {
  const TemporaryFolder folder;
  write_pictures(folder, "a", 1);
  write_bytes(folder / "a/scan.TIFF", "");
  EXPECT_THAT(message_of_error([&] { open_dataset(folder.path(), Split::any); }),
              AllOf(HasSubstr("scan.TIFF"), HasSubstr("only JPEG and PNG are supported")));
}

TEST(ClassFolders, RefuseAFolderThatWouldBeAClassWithoutImages) {
  const TemporaryFolder folder;
  write_pictures(folder, "cat", 1);
  write_bytes(folder / "annotations/cat.xml", "");
  EXPECT_THAT(message_of_error([&] { open_dataset(folder.path(), Split::any); }),
              HasSubstr("every subfolder is a class, but 'annotations' contains no image"));
}

TEST(ClassFolders, WithoutImagesAreNoDataSet) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "a/b");
  EXPECT_THAT(message_of_error([&] { open_dataset(folder.path(), Split::any); }),
              HasSubstr("is not a data set of a known format"));
}

TEST(ImageBatches, AreTheFilesFramedAndNormalized) {
  const TemporaryFolder folder;
  write_pictures(folder, "a", 3);
  write_pictures(folder, "b", 2, 7);
  Dataset data = open_dataset(folder.path(), Split::any);
  data.frame = {.size = 8, .resize = 10};
  EXPECT_EQ(data.sizes(), (std::vector<int64_t>{5, 3, 8, 8}));
  const Normalization normalization{.mean = {0.4, 0.5, 0.6}, .std = {0.2, 0.3, 0.4}};
  const Batches batches(data, {.batch_size = 2, .normalization = normalization});
  for (const Batch& batch : batches.epoch(0))
    for (int64_t i = 0; i < batch.indices.size(0); ++i) {
      // 12×10 pictures: nothing is resized, and the middle is cut.
      const std::string& path = data.files[batch.indices[i].item<int64_t>()];
      const int64_t number = path[path.size() - 5] - '0';
      const bool b = path[path.size() - 7] == 'b';
      const at::Tensor expected = picture(12, 10, number + (b ? 7 : 0)).narrow(1, 2, 8).narrow(2, 1, 8);
      EXPECT_TRUE(at::equal(batch.inputs[i], normalize(expected.unsqueeze(0), normalization)[0])) << path;
      EXPECT_EQ(batch.labels[i].item<int64_t>(), b ? 1 : 0);
    }
}

TEST(ImageBatches, OfOneChannelAreLuma) {
  const TemporaryFolder folder;
  write_png(folder / "x.png", picture(8, 8));
  Dataset data = open_dataset(folder.path(), Split::any);
  data.frame = {.size = 8, .resize = 8, .channels = 1};
  const Batch batch = Batches(data, {}).epoch(0)[0];
  const auto parts = at::tensor({0.299, 0.587, 0.114}, at::kDouble).view({3, 1, 1});
  const auto expected = (picture(8, 8).to(at::kDouble) * parts).sum(0, true);
  EXPECT_LE(((batch.inputs[0] * 255) - expected).abs().max().item<double>(), 1);  // rounding
}

TEST(ImageBatches, OfImagesInMemoryAreFramedToo) {
  Dataset data{.inputs = at::stack({picture(20, 20), picture(20, 20, 4)}), .source = "pictures"};
  data.frame = {.size = 10, .resize = 20};
  EXPECT_EQ(data.sizes(), (std::vector<int64_t>{2, 3, 10, 10}));
  const Batch batch = Batches(data, {}).epoch(0)[0];
  EXPECT_TRUE(at::equal(batch.inputs, normalize(data.inputs.narrow(2, 5, 10).narrow(3, 5, 10), {})));
}

TEST(ImageBatches, RefuseAFrameThatDoesNotFit) {
  const TemporaryFolder folder;
  write_pictures(folder, "a", 1);
  Dataset data = open_dataset(folder.path(), Split::any);
  EXPECT_THAT(message_of_error([&] { Batches(data, {}); }), HasSubstr("image files require an image size"));
  data.frame = {.size = 8, .resize = 7};
  EXPECT_THAT(message_of_error([&] { Batches(data, {}); }), HasSubstr("but got 8 and 7"));
  data.frame = {.size = 8, .channels = 4};
  EXPECT_THAT(message_of_error([&] { Batches(data, {}); }), HasSubstr("1 or 3 channels but 4"));
  data.frame = {.size = 8};
  data.inputs = at::zeros({1, 3, 8, 8}, at::kByte);
  EXPECT_THAT(message_of_error([&] { Batches(data, {}); }), HasSubstr("must have inputs or files, not both"));
}

TEST(InMemory, HasTheSameBatches) {
  const TemporaryFolder folder;
  write_pictures(folder, "a", 40);
  write_pictures(folder, "b", 30, 2);
  Dataset data = open_dataset(folder.path(), Split::any);
  data.frame = {.size = 7};
  const Dataset held = in_memory(data);
  EXPECT_EQ(held.files.size(), 0);
  EXPECT_EQ(held.inputs.sizes(), at::IntArrayRef({70, 3, 7, 7}));
  const BatchOptions options{.batch_size = 16, .shuffle = true, .seed = 3, .augmentation = {.flip = true}};
  const Batch ours = Batches(held, options).epoch(1)[2], expected = Batches(data, options).epoch(1)[2];
  EXPECT_TRUE(at::equal(ours.inputs, expected.inputs));
  EXPECT_TRUE(at::equal(ours.labels, expected.labels));
}

}  // namespace
}  // namespace inn
