// Batches that threads make ahead: the same ones, in order, with the same errors.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "data/image_folder.h"
#include "inn/data/batches.h"
#include "inn/data/image.h"

namespace inn {
namespace {

using testing::HasSubstr;

/// Threads of this process.
int64_t count_threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

class ImageReading : public testing::Test {
 protected:
  static constexpr int64_t kImages = 23;

  ImageReading() {
    for (int64_t i = 0; i < kImages; ++i) {
      const std::string name = fmt::format("{}/{:02}.{}", i % 3, i, i % 2 == 0 ? "jpg" : "png");
      const at::Tensor image = picture(20 + i, 31 - i, i);
      i % 2 == 0 ? write_jpeg(folder_ / name, image) : write_png(folder_ / name, image);
    }
  }

  Dataset open(int64_t workers) const {
    Dataset data = open_dataset(folder_.path(), Split::any);
    data.frame = {.size = 12};
    data.workers = workers;
    return data;
  }

  const BatchOptions options_{.batch_size = 5,
                              .shuffle = true,
                              .seed = 4,
                              .augmentation = {.crop_padding = 2, .flip = true, .random_resized_crop = true}};
  TemporaryFolder folder_;
};

void expect_equal(const Batch& a, const Batch& b) {
  EXPECT_TRUE(at::equal(a.inputs, b.inputs));
  EXPECT_TRUE(at::equal(a.labels, b.labels));
  EXPECT_TRUE(at::equal(a.indices, b.indices));
}

TEST_F(ImageReading, GivesTheSameBatchesByAnyNumberOfWorkers) {
  const Batches expected(open(0), options_);
  for (const int64_t workers : {1, 2, 4, 40}) {
    const Batches batches(open(workers), options_);
    for (const int64_t epoch : {0, 3}) {
      int64_t index = 0;
      for (const Batch& batch : batches.epoch(epoch)) expect_equal(batch, expected.epoch(epoch)[index++]);
      EXPECT_EQ(index, 5);
    }
  }
}

TEST_F(ImageReading, GivesTheSameBatchesInAnyOrder) {
  const Epoch expected = Batches(open(0), options_).epoch(1), epoch = Batches(open(3), options_).epoch(1);
  for (const int64_t index : {3, 4, 0, 0, 2, 1, 4, 4, 3}) expect_equal(epoch[index], expected[index]);
}

TEST_F(ImageReading, OfTensorsIsTheSameToo) {
  at::manual_seed(3);
  Dataset data{.inputs = at::randint(0, 256, {50, 2, 9, 8}, at::kByte),
               .labels = at::randint(0, 9, {50}, at::kLong),
               .source = "random"};
  const Batches expected(data, options_);
  data.workers = 3;
  const Batches batches(data, options_);
  int64_t index = 0;
  for (const Batch& batch : batches.epoch(2)) expect_equal(batch, expected.epoch(2)[index++]);
  Dataset tokens{.inputs = at::arange(40).view({10, 4}), .labels = at::arange(10)};
  tokens.workers = 2;
  EXPECT_TRUE(
      at::equal(Batches(tokens, {.batch_size = 4}).epoch(0)[1].inputs, tokens.inputs.narrow(0, 4, 4)));
}

TEST_F(ImageReading, DrawsAugmentationAnewInEveryEpoch) {
  const Batches batches(open(2), {.batch_size = kImages, .augmentation = {.random_resized_crop = true}});
  const Batch first = batches.epoch(0)[0], second = batches.epoch(1)[0];
  EXPECT_TRUE(at::equal(first.indices, second.indices));
  EXPECT_TRUE((first.inputs != second.inputs).flatten(1).any(1).all().item<bool>());
  expect_equal(first, batches.epoch(0)[0]);
}

TEST_F(ImageReading, LeavesNoThreadAndNoSettingBehind) {
  Batches(open(0), options_).epoch(0)[0];  // torch's own threads are there now
  const int64_t before = count_threads();
  const int own = at::get_num_threads();
  {
    const Epoch epoch = Batches(open(4), options_).epoch(0);
    EXPECT_EQ(count_threads(), before);  // nothing was asked for yet
    epoch[0];
    EXPECT_EQ(count_threads(), before + 4);
    EXPECT_EQ(at::get_num_threads(), own);
  }
  EXPECT_EQ(count_threads(), before);
  for (const Batch& batch : Batches(open(4), options_).epoch(0)) {
    EXPECT_TRUE(batch.inputs.defined());
    break;  // an epoch that is left early ends its threads
  }
  EXPECT_EQ(count_threads(), before);
}

TEST_F(ImageReading, NamesADamagedImageWhereItsBatchIsAskedFor) {
  const Dataset data = open(0);
  constexpr int64_t kDamaged = 12;  // in the third batch of five
  const std::string path = data.files[kDamaged];
  write_bytes(path, read_bytes(path).substr(0, 60));
  for (const int64_t workers : {0, 1, 4}) {
    const Epoch epoch = Batches(open(workers), {.batch_size = 5}).epoch(0);
    epoch[0];
    epoch[1];
    for (int again = 0; again < 2; ++again) {
      EXPECT_THROW(epoch[2], DamagedImage);
      EXPECT_THAT(message_of_error([&] { epoch[2]; }),
                  HasSubstr("[data] Image '" + path + "': cannot be decoded: "));
    }
    EXPECT_EQ(epoch[3].inputs.size(0), 5);
  }
}

TEST_F(ImageReading, NamesTheFirstOfSeveralDamagedImages) {
  const Dataset data = open(0);
  for (const int64_t i : {6, 7, 9}) write_bytes(data.files[i], "");
  for (const int64_t workers : {0, 1, 4})
    for (int round = 0; round < 5; ++round)
      EXPECT_THAT(message_of_error([&] { Batches(open(workers), {.batch_size = 5}).epoch(0)[1]; }),
                  HasSubstr(data.files[6]));
}

TEST_F(ImageReading, LeavesOutDamagedImagesWhereAskedAndNamesThem) {
  const Dataset whole = open(0);
  for (const int64_t i : {1, 7, 8}) write_bytes(whole.files[i], "no image");
  for (const int64_t workers : {0, 1, 4}) {
    Dataset data = open(workers);
    data.skipped = std::make_shared<SkippedImages>();
    std::vector<at::Tensor> indices, labels;
    const Batches batches(data, {.batch_size = 5});
    for (const Batch& batch : batches.epoch(0)) {
      EXPECT_EQ(batch.inputs.size(0), batch.indices.size(0));
      indices.push_back(batch.indices);
      labels.push_back(batch.labels);
    }
    std::vector<int64_t> kept;
    for (int64_t i = 0; i < kImages; ++i)
      if (i != 1 && i != 7 && i != 8) kept.push_back(i);
    EXPECT_TRUE(at::equal(at::cat(indices), at::tensor(kept)));
    EXPECT_TRUE(at::equal(at::cat(labels), data.labels.index_select(0, at::tensor(kept))));
    const auto skipped = data.skipped->all();
    EXPECT_EQ(skipped.size(), 3u);
    EXPECT_EQ(skipped.at(whole.files[7]), "it is not JPEG or PNG");
    // What is made ahead and never asked for is not named.
    Dataset other = open(workers);
    other.skipped = std::make_shared<SkippedImages>();
    EXPECT_EQ(Batches(other, {.batch_size = 5}).epoch(0)[0].inputs.size(0), 4);
    EXPECT_EQ(other.skipped->all().size(), 1u);
    EXPECT_EQ(in_memory(data).size(), kImages - 3);
  }
}

TEST_F(ImageReading, ABatchOfDamagedImagesIsEmpty) {
  Dataset data = open(2);
  data.skipped = std::make_shared<SkippedImages>();
  for (const int64_t i : {5, 6, 7, 8, 9}) write_bytes(data.files[i], "");
  const Epoch epoch = Batches(data, {.batch_size = 5}).epoch(0);
  const Batch batch = epoch[1];
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(batch.inputs.size(0), 0);
  EXPECT_EQ(batch.labels.size(0), 0);
  EXPECT_FALSE(epoch[0].empty());
  EXPECT_EQ(data.skipped->all().size(), 5u);
  EXPECT_EQ(in_memory(data).size(), kImages - 5);
}

TEST_F(ImageReading, AFileThatIsGoneIsAnErrorEvenWhereDamageIsNone) {
  Dataset data = open(2);
  data.skipped = std::make_shared<SkippedImages>();
  std::filesystem::remove(data.files[0]);
  EXPECT_THAT(message_of_error([&] { Batches(data, {}).epoch(0)[0]; }),
              HasSubstr("File '" + data.files[0] + "': cannot be read"));
}

TEST_F(ImageReading, RefusesANumberOfWorkersThatIsNone) {
  EXPECT_THAT(message_of_error([&] { Batches(open(-2), {}); }),
              HasSubstr("the number of workers must be in [0, 256]"));
  EXPECT_THROW(Batches(open(257), {}), std::invalid_argument);
}

}  // namespace
}  // namespace inn
