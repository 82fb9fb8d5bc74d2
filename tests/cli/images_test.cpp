// Folders of image files through the program.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/program_run.h"
#include "data/image_folder.h"
#include "inn/network/files.h"

namespace inn {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

constexpr int kImagesOfClass = 12;

class ImagesProgram : public testing::Test {
 protected:
  /// Two classes that differ in brightness, in a folder for each split.
  void SetUp() override {
    for (const char* split : {"train", "val"})
      for (int c = 0; c < 2; ++c)
        for (int i = 0; i < kImagesOfClass; ++i) {
          const std::string where = fmt::format("data/{}/{}", split, c == 0 ? "dark" : "light");
          std::filesystem::create_directories(folder.path() / where);
          const std::string path = folder / fmt::format("{}/{}.{}", where, i, i % 2 == 0 ? "jpg" : "png");
          const at::Tensor image = picture(20 + i, 24, i) / 3 + 140 * c;
          i % 2 == 0 ? write_jpeg(path, image.to(at::kByte)) : write_png(path, image.to(at::kByte));
        }
  }
  ProgramRun train(const std::string& arguments) const {
    return folder.run("train zoo:small_cnn -o net.pt2 --data data --batch-size 8 --json " + arguments);
  }
  /// Cuts an image short.
  std::string damage(const std::string& name) const {
    const auto path = folder / ("data/" + name);
    write_bytes(path, read_bytes(path).substr(0, 50));
    return "data/" + name;
  }

  ScratchFolder folder;
};

TEST_F(ImagesProgram, LearnWhatSeparatesTheirClasses) {
  const auto trained = train("--image-size 16 --epochs 4 --learning-rate 0.02 --random-resized-crop --flip");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Network network = read_pt2(folder / "net.pt2");
  const auto& input = network.values[static_cast<size_t>(network.inputs[0])];
  EXPECT_EQ(input.sizes[1], 3);
  EXPECT_EQ(input.sizes[3], 16);
  // The size is the network's own; workers change nothing.
  const auto evaluated = folder.run("eval net.pt2 --data data --json");
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const json result = evaluated.json().at("results")[0];
  EXPECT_EQ(result.at("count"), 2 * kImagesOfClass);
  EXPECT_GT(result.at("accuracy").get<double>(), 0.9);
  for (const char* workers : {"0", "1", "3"})
    EXPECT_EQ(folder.run(std::string("eval net.pt2 --data data --json --workers ") + workers).json(),
              evaluated.json());
}

TEST_F(ImagesProgram, TrainingIsTheSameByAnyNumberOfWorkers) {
  const std::string recipe = "--image-size 16 --epochs 2 --random-resized-crop --flip --crop-padding 2 ";
  const auto losses = [&](const char* workers) {
    std::vector<double> result;
    const auto run = train(recipe + "--workers " + workers);
    EXPECT_EQ(run.code, 0) << run.err;
    const json document = run.json();
    for (const auto& epoch : document.at("epochs")) result.push_back(epoch.at("loss"));
    return result;
  };
  const auto expected = losses("0");
  EXPECT_EQ(expected.size(), 2u);
  EXPECT_EQ(losses("1"), expected);
  EXPECT_EQ(losses("4"), expected);
}

TEST_F(ImagesProgram, AreHeldOutAndValidatedOn) {
  for (const char* held_out : {"--hold-out 0.25", "--validation data"}) {
    const auto run = train(std::string("--image-size 16 --epochs 2 ") + held_out);
    ASSERT_EQ(run.code, 0) << run.err;
    const json document = run.json();
    for (const auto& epoch : document.at("epochs")) EXPECT_TRUE(epoch.at("metric").is_number()) << epoch;
  }
}

TEST_F(ImagesProgram, WhatCannotBeValidatedOnIsToldBeforeTheFirstEpoch) {
  for (const char* name : {"a", "b", "c"}) {
    std::filesystem::create_directories(folder.path() / "other/val" / name);
    write_png(folder / fmt::format("other/val/{}/0.png", name), picture(20, 20, 1));
  }
  const auto run = train("--image-size 16 --epochs 2 --validation other");
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("of 3 classes"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "net.pt2.checkpoint"));
}

TEST_F(ImagesProgram, OrderChannelsByTheirNodes) {
  ASSERT_EQ(train("--image-size 16 --epochs 1").code, 0);
  const auto converted =
      folder.run("convert net.pt2 -o nodes.pt2 --order nodes --calibration data/train --json");
  ASSERT_EQ(converted.code, 0) << converted.err;
  const auto images = at::linspace(-1, 1, 2 * 3 * 16 * 16).reshape({2, 3, 16, 16});
  const at::NoGradGuard no_grad;
  const auto expected = read_pt2(folder / "net.pt2").forward(images);
  const auto given = read_pt2(folder / "nodes.pt2").forward(images);
  EXPECT_LE((given - expected).abs().max().item<double>(), 1e-5 * expected.abs().max().item<double>());
  EXPECT_FALSE(at::equal(given, expected));  // sums in another order
  const auto trained = train("--image-size 16 --epochs 1 --widths uniform:0.5,1 --order nodes");
  EXPECT_EQ(trained.code, 0) << trained.err;
}

/// Statistics that are measured on augmented images are others.
TEST_F(ImagesProgram, CalibrateAsInTraining) {
  ASSERT_EQ(train("--image-size 16 --epochs 1 --widths uniform:0.5,1").code, 0);
  const auto loss = [&](const std::string& augmentation) {
    const auto run =
        folder.run("eval net.pt2 --data data --widths 0.5 --calibration data/train --json " + augmentation);
    EXPECT_EQ(run.code, 0) << run.err;
    return run.json().at("results")[0].at("loss").get<double>();
  };
  EXPECT_NE(loss("--crop-padding 4"), loss(""));
  EXPECT_EQ(loss("--crop-padding 4 --flip"), loss("--crop-padding 4 --flip"));
}

TEST_F(ImagesProgram, CalibrateWithoutLabels) {
  for (int i = 0; i < 30; ++i) {
    std::filesystem::create_directories(folder.path() / "flat");
    write_png(folder / fmt::format("flat/{}.png", i), picture(30, 40, i));
  }
  const auto run = folder.run(
      "resample zoo:small_cnn -o half.pt2 --keep 0.5 --method quadrature --calibration flat --json");
  EXPECT_EQ(run.code, 0) << run.err;  // gray, as the network's input
  EXPECT_EQ(read_pt2(folder / "half.pt2").forward(at::zeros({2, 1, 28, 28})).size(0), 2);
}

TEST_F(ImagesProgram, NameADamagedImage) {
  const std::string bad = damage("val/dark/3.png");
  ASSERT_EQ(train("--image-size 16 --epochs 1").code, 0);
  const auto refused = folder.run("eval net.pt2 --data data");
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("Image '" + bad + "': cannot be decoded: "));
  const auto skipped = folder.run("eval net.pt2 --data data --skip-corrupt --json");
  EXPECT_EQ(skipped.code, 0) << skipped.err;
  EXPECT_EQ(skipped.json().at("results")[0].at("count"), 2 * kImagesOfClass - 1);
  ASSERT_EQ(skipped.json().at("skipped_images").size(), 1u);
  EXPECT_EQ(skipped.json().at("skipped_images")[0].at("file"), bad);
  EXPECT_THAT(skipped.err, AllOf(HasSubstr("1 corrupt image was skipped:"), HasSubstr(bad)));
  // A batch may be left with no image at all, a data set not.
  const auto alone = folder.run("eval net.pt2 --data data --skip-corrupt --batch-size 1 --json");
  EXPECT_EQ(alone.code, 0) << alone.err;
  EXPECT_EQ(alone.json().at("results")[0].at("count"), 2 * kImagesOfClass - 1);
  const auto learnt = folder.run(
      "train zoo:small_cnn -o net.pt2 --data data --image-size 16 --epochs 1 --batch-size 1 "
      "--learning-rate 0.001 --validation data --skip-corrupt");
  EXPECT_EQ(learnt.code, 0) << learnt.err;
  damage("train/light/4.jpg");
  EXPECT_EQ(train("--image-size 16 --epochs 1").code, 1);
  const auto trained = train("--image-size 16 --epochs 2 --skip-corrupt");
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(trained.json().at("skipped_images").size(), 1u);
  const auto compared = folder.run(
      "compare net.pt2 --calibration data/train --data data --keep 0.5 --methods l1 --no-chosen "
      "--skip-corrupt "
      "--json");
  EXPECT_EQ(compared.code, 0) << compared.err;
  EXPECT_EQ(compared.json().at("skipped_images").size(), 2u);
}

TEST_F(ImagesProgram, RefuseOptionsAtOdds) {
  EXPECT_THAT(folder.run("eval zoo:lenet --data data --image-size 20 --resize 10").err,
              HasSubstr("--resize 10 must be at least --image-size 20."));
  EXPECT_EQ(folder.run("eval zoo:lenet --data data --image-size 20 --resize 10").code, 2);
  EXPECT_EQ(folder.run("eval zoo:lenet --data data --workers -3").code, 2);
}

}  // namespace
}  // namespace inn
