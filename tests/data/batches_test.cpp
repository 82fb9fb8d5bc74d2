#include "inn/data/batches.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inn {
namespace {

// The table is made in float64 and torch's chain of operations rounds four times in float32.
constexpr double kFloat32Tolerance = 1e-6;

Dataset random_dataset(int64_t count, int64_t channels = 3, int64_t height = 5, int64_t width = 4) {
  at::manual_seed(7);
  Dataset dataset;
  dataset.inputs = at::randint(0, 256, {count, channels, height, width}, at::kByte);
  dataset.labels = at::randint(0, 10, {count}, at::kLong);
  dataset.source = "random";
  return dataset;
}

TEST(Normalize, EqualsTorchsArithmetic) {
  const at::Tensor images = random_dataset(6).inputs;
  const at::Tensor result = normalize(images, {.mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}});
  const auto channel = [](std::vector<double> values) {
    return at::tensor(values, at::kDouble).view({1, 3, 1, 1});
  };
  const at::Tensor expected =
      (images.to(at::kDouble) / 255 - channel({0.485, 0.456, 0.406})) / channel({0.229, 0.224, 0.225});
  EXPECT_EQ(result.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::allclose(result.to(at::kDouble), expected, kFloat32Tolerance, kFloat32Tolerance));
}

TEST(Normalize, ByDefaultScalesToTheUnitInterval) {
  const at::Tensor images = at::arange(256, at::kByte).view({1, 1, 16, 16});
  EXPECT_TRUE(at::allclose(normalize(images, {}), images.to(at::kFloat) / 255, 0, kFloat32Tolerance));
}

TEST(Normalize, RefusesWhatDoesNotFit) {
  const at::Tensor images = random_dataset(2).inputs;
  EXPECT_THAT(
      [&] {
        normalize(images, {.mean = {0.5, 0.5}});
      },
      testing::ThrowsMessage<std::invalid_argument>(
          "[data] Normalization: mean must have 1 or 3 values but has 2."));
  EXPECT_THAT([&] { normalize(images, {.std = {0.0}}); },
              testing::ThrowsMessage<std::invalid_argument>(
                  "[data] Normalization: std must be finite and positive but has 0."));
  EXPECT_THROW(normalize(images, {.mean = {std::nan("")}}), std::invalid_argument);
  EXPECT_THROW(normalize(images.to(at::kFloat), {}), std::invalid_argument);
}

TEST(Batches, InOrderAreTheDataSetCutIntoPieces) {
  const Dataset dataset = random_dataset(10);
  const Batches batches(dataset, {.batch_size = 4});
  ASSERT_EQ(batches.size(), 3);
  std::vector<at::Tensor> images, labels;
  for (const Batch& batch : batches.epoch(0)) {
    images.push_back(batch.inputs);
    labels.push_back(batch.labels);
  }
  ASSERT_EQ(images.size(), 3u);
  EXPECT_EQ(images[2].size(0), 2);
  EXPECT_TRUE(at::equal(at::cat(images), normalize(dataset.inputs, {})));
  EXPECT_TRUE(at::equal(at::cat(labels), dataset.labels));
}

TEST(Batches, DropLastLeavesOutTheSmallerBatch) {
  EXPECT_EQ(Batches(random_dataset(10), {.batch_size = 4, .drop_last = true}).size(), 2);
  EXPECT_EQ(Batches(random_dataset(8), {.batch_size = 4, .drop_last = true}).size(), 2);
  EXPECT_THROW(Batches(random_dataset(3), {.batch_size = 4, .drop_last = true}), std::invalid_argument);
}

at::Tensor order_of(const Batches& batches, int64_t epoch) {
  std::vector<at::Tensor> indices;
  for (const Batch& batch : batches.epoch(epoch)) indices.push_back(batch.indices);
  return at::cat(indices);
}

TEST(Batches, ShuffledSeeEachImageOnceWithItsLabel) {
  const Dataset dataset = random_dataset(1000, 1, 2, 2);
  const Batches batches(dataset, {.batch_size = 64, .shuffle = true, .seed = 3});
  const at::Tensor order = order_of(batches, 0);
  EXPECT_TRUE(at::equal(std::get<0>(at::sort(order)), at::arange(1000)));
  EXPECT_FALSE(at::equal(order, at::arange(1000)));
  const Batch batch = batches.epoch(0)[5];
  EXPECT_TRUE(at::equal(batch.labels, dataset.labels.index_select(0, batch.indices)));
  EXPECT_TRUE(at::equal(batch.inputs, normalize(dataset.inputs.index_select(0, batch.indices), {})));
}

TEST(Batches, OrderIsAFunctionOfSeedAndEpoch) {
  const Dataset dataset = random_dataset(100, 1, 2, 2);
  const auto order = [&](uint64_t seed, int64_t epoch) {
    return order_of(Batches(dataset, {.batch_size = 8, .shuffle = true, .seed = seed}), epoch);
  };
  EXPECT_TRUE(at::equal(order(1, 4), order(1, 4)));
  EXPECT_FALSE(at::equal(order(1, 4), order(1, 5)));
  EXPECT_FALSE(at::equal(order(1, 4), order(2, 4)));
}

TEST(Batches, ABatchDoesNotDependOnThoseAskedForBefore) {
  const BatchOptions options{
      .batch_size = 8, .shuffle = true, .seed = 9, .augmentation = {.crop_padding = 2, .flip = true}};
  const Dataset dataset = random_dataset(50);
  const Batches whole(dataset, options), resumed(dataset, options);
  const Epoch epoch = whole.epoch(3);
  for (int64_t i = 0; i < 5; ++i) epoch[i];
  at::manual_seed(123);  // nor on torch's generator
  EXPECT_TRUE(at::equal(epoch[5].inputs, resumed.epoch(3)[5].inputs));
  EXPECT_FALSE(at::equal(epoch[5].inputs, normalize(dataset.inputs.index_select(0, epoch[5].indices), {})));
}

/// Returns whether `image` is one of the cuts of `source`, padded by `padding`, mirrored or not. By torch
/// alone.
bool is_cut_of(const at::Tensor& image, const at::Tensor& source, int64_t padding, bool flip) {
  const at::Tensor padded = at::constant_pad_nd(source, {padding, padding, padding, padding}, 0);
  for (int64_t y = 0; y <= 2 * padding; ++y) {
    for (int64_t x = 0; x <= 2 * padding; ++x) {
      const at::Tensor cut = padded.narrow(2, y, source.size(2)).narrow(3, x, source.size(3));
      if (at::equal(image, cut) || (flip && at::equal(image, cut.flip(3)))) return true;
    }
  }
  return false;
}

TEST(Batches, RanksShareEveryBatch) {
  const Dataset dataset = random_dataset(11);
  BatchOptions options{
      .batch_size = 4, .shuffle = true, .seed = 5, .augmentation = {.crop_padding = 1, .flip = true}};
  const Epoch whole = Batches(dataset, options).epoch(2);
  options.ranks = 3;
  std::vector<Epoch> shares;
  for (options.rank = 0; options.rank < options.ranks; ++options.rank)
    shares.push_back(Batches(dataset, options).epoch(2));
  for (int64_t b = 0; b < whole.size(); ++b) {
    std::vector<at::Tensor> images, labels;
    for (const auto& share : shares) {
      images.push_back(share[b].inputs);
      labels.push_back(share[b].labels);
      EXPECT_LE(images.back().size(0), 2);
    }
    EXPECT_TRUE(at::equal(at::cat(images), whole[b].inputs));
    EXPECT_TRUE(at::equal(at::cat(labels), whole[b].labels));
  }
  options.rank = 3;
  EXPECT_THROW(Batches(dataset, options), std::invalid_argument);
}

TEST(Batches, AugmentedImagesAreCutsAndMirrorsOfTheSource) {
  const Dataset dataset = random_dataset(200, 2, 6, 5);
  for (const int64_t padding : {0, 1, 3, 9}) {
    for (const bool flip : {false, true}) {
      const Batch batch =
          Batches(dataset,
                  {.batch_size = 200, .seed = 2, .augmentation = {.crop_padding = padding, .flip = flip}})
              .epoch(0)[0];
      const at::Tensor pixels = (batch.inputs * 255).round().to(at::kByte);
      for (int64_t i = 0; i < 40; ++i) {
        EXPECT_TRUE(is_cut_of(pixels.narrow(0, i, 1), dataset.inputs.narrow(0, i, 1), padding, flip))
            << "image " << i << " padding " << padding << " flip " << flip;
      }
    }
  }
}

TEST(Batches, FlipsAboutHalfAndCropsToEveryPlace) {
  const Dataset dataset = random_dataset(2000, 1, 4, 4);
  const Batch flipped = Batches(dataset, {.batch_size = 2000, .augmentation = {.flip = true}}).epoch(0)[0];
  const at::Tensor same = (flipped.inputs == normalize(dataset.inputs, {})).flatten(1).all(1);
  EXPECT_NEAR(same.to(at::kDouble).mean().item<double>(), 0.5, 0.05);  // 4.5 standard deviations
  const Batch cropped =
      Batches(dataset, {.batch_size = 2000, .augmentation = {.crop_padding = 1}}).epoch(0)[0];
  const at::Tensor unmoved = (cropped.inputs == normalize(dataset.inputs, {})).flatten(1).all(1);
  EXPECT_NEAR(unmoved.to(at::kDouble).mean().item<double>(), 1.0 / 9, 0.03);  // 4.3 standard deviations
}

TEST(Batches, PadsWithBlackBeforeNormalization) {
  Dataset dataset = random_dataset(1, 1, 2, 2);
  dataset.inputs.fill_(255);
  const Batches batches(dataset, {.batch_size = 1,
                                  .augmentation = {.crop_padding = 40},
                                  .normalization = {.mean = {0.5}, .std = {0.25}}});
  EXPECT_TRUE(at::equal(batches.epoch(0)[0].inputs, at::full({1, 1, 2, 2}, -2.0F)));  // cut far outside
}

TEST(Batches, WorksWithoutLabels) {
  Dataset dataset = random_dataset(3);
  dataset.labels = at::Tensor();
  EXPECT_FALSE(Batches(dataset, {}).epoch(0)[0].labels.defined());
}

TEST(Batches, RefusesWhatIsOutOfRange) {
  EXPECT_THAT([] { Batches(random_dataset(2), {.batch_size = 0}); },
              testing::ThrowsMessage<std::invalid_argument>(
                  "[data] Batches: batch_size must be at least 1 but got 0."));
  EXPECT_THROW(Batches(random_dataset(2), {.augmentation = {.crop_padding = -1}}), std::invalid_argument);
  EXPECT_THROW(Batches(Dataset{}, {}), std::invalid_argument);
  const Batches batches(random_dataset(2), {});
  EXPECT_THROW(batches.epoch(-1), std::invalid_argument);
  EXPECT_THAT([&] { batches.epoch(0)[1]; }, testing::ThrowsMessage<std::out_of_range>(
                                                "[data] Epoch: the batch must be in [0, 1) but got 1."));
  Dataset wrong = random_dataset(3);
  wrong.labels = wrong.labels.narrow(0, 0, 2);
  EXPECT_THROW(Batches(wrong, {}), std::invalid_argument);
}

}  // namespace
}  // namespace inn
