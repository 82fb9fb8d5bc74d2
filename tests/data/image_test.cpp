#include "inn/data/image.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "data/image_folder.h"
#include "inn/data/dataset.h"

namespace inn {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// A smooth picture at quality 95 and full colour.
constexpr int64_t kJpegLevels = 6;
// Fixed-point weights of 2⁻¹⁵ and one rounding an axis.
constexpr int64_t kResizeLevels = 1;

int64_t distance(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return (a.to(at::kInt) - b.to(at::kInt)).abs().max().item<int64_t>();
}

TEST(ReadImage, GivesThePixelsOfAPng) {
  const TemporaryFolder folder;
  const at::Tensor rgb = picture(17, 23);
  write_png(folder / "a.png", rgb);
  EXPECT_TRUE(at::equal(read_image(folder / "a.png"), rgb));
  write_png(folder / "gray.png", rgb.narrow(0, 0, 1));
  EXPECT_TRUE(at::equal(read_image(folder / "gray.png"), rgb.narrow(0, 0, 1).expand({3, 17, 23})));
}

TEST(ReadImage, DropsAlphaAndKeepsTheColoursUnderIt) {
  const TemporaryFolder folder;
  const at::Tensor rgb = picture(9, 8), alpha = at::arange(72).view({1, 9, 8}).mul(3).to(at::kByte);
  write_png(folder / "a.png", at::cat({rgb, alpha}));
  EXPECT_TRUE(at::equal(read_image(folder / "a.png"), rgb));
  write_png(folder / "gray.png", at::cat({rgb.narrow(0, 1, 1), alpha}));
  EXPECT_TRUE(at::equal(read_image(folder / "gray.png"), rgb.narrow(0, 1, 1).expand({3, 9, 8})));
}

TEST(ReadImage, GivesThePixelsOfAJpegNearly) {
  const TemporaryFolder folder;
  const at::Tensor rgb = picture(40, 50);
  write_jpeg(folder / "a.jpg", rgb);
  EXPECT_LE(distance(read_image(folder / "a.jpg"), rgb), kJpegLevels);
  write_jpeg(folder / "gray.jpg", rgb.narrow(0, 2, 1));
  EXPECT_LE(distance(read_image(folder / "gray.jpg"), rgb.narrow(0, 2, 1).expand({3, 40, 50})), kJpegLevels);
}

TEST(ReadImage, ConvertsCmykAsAdobeWritesIt) {
  const TemporaryFolder folder;
  const at::Tensor cmy = picture(40, 50), black = picture(40, 50, 3).narrow(0, 0, 1);
  write_jpeg(folder / "a.jpg", at::cat({cmy, black}));
  const at::Tensor expected = (cmy.to(at::kDouble) * black.to(at::kDouble) / 255).round();
  EXPECT_LE(distance(read_image(folder / "a.jpg"), expected), 2 * kJpegLevels);  // of two channels
}

TEST(ReadImage, GoesByTheContentAndNotTheName) {
  const TemporaryFolder folder;
  write_png(folder / "really_png.JPEG", picture(6, 5));
  EXPECT_TRUE(at::equal(read_image(folder / "really_png.JPEG"), picture(6, 5)));
}

TEST(ReadImage, NamesTheDamagedFile) {
  const TemporaryFolder folder;
  const auto fails = [&](const std::string& bytes, const std::string& reason) {
    write_bytes(folder / "bad.jpg", bytes);
    EXPECT_THAT(message_of_error([&] { read_image(folder / "bad.jpg"); }),
                AllOf(HasSubstr("[data] Image '" + (folder / "bad.jpg").string() + "': cannot be decoded: "),
                      HasSubstr(reason)));
    EXPECT_THROW(read_image(folder / "bad.jpg"), DamagedImage);
  };
  fails("", "it is empty");
  fails("GIF89a" + std::string(40, '\0'), "it is not JPEG or PNG");
  write_jpeg(folder / "a.jpg", picture(64, 64));
  const std::string jpeg = read_bytes(folder / "a.jpg");
  fails(jpeg.substr(0, jpeg.size() / 2), "Premature end of JPEG file");
  EXPECT_THAT(message_of_error([&] { read_image(folder / "none.jpg"); }),
              HasSubstr("none.jpg': cannot be read"));
}

TEST(ReadImage, RefusesClaimedSizesBeforeItAllocates) {
  const TemporaryFolder folder;
  write_jpeg(folder / "a.jpg", picture(16, 16));
  std::string jpeg = read_bytes(folder / "a.jpg");
  const auto frame = jpeg.find("\xff\xc0");  // then length, precision, height, width
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xfd\xe8\xfd\xe8");
  write_bytes(folder / "a.jpg", jpeg);
  EXPECT_THAT(message_of_error([&] { read_image(folder / "a.jpg"); }),
              HasSubstr("has 65000×65000 pixels; the limit is 134217728"));
  write_png(folder / "a.png", picture(16, 16));
  std::string png = read_bytes(folder / "a.png");
  const std::string sides("\x00\x0f\x00\x00\x00\x0f\x00\x00", 8);
  png.replace(16, 8, sides);
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(png.data()) + 12, 17);
  for (size_t i = 0; i < 4; ++i) png[29 + i] = static_cast<char>(sum >> (24 - 8 * i));
  write_bytes(folder / "a.png", png);
  EXPECT_THAT(message_of_error([&] { read_image(folder / "a.png"); }),
              HasSubstr("it has 983040×983040 pixels"));
}

/// Every outcome but a picture of the right size or a DamagedImage is a fault; so are what sanitizers find.
void expect_picture_or_damage(const std::string& path, const std::string& bytes) {
  write_bytes(path, bytes);
  try {
    EXPECT_EQ(read_image(path).size(0), 3);
  } catch (const DamagedImage& damage) {
    EXPECT_THAT(damage.what(), HasSubstr(path));
  }
}

TEST(ReadImage, CutAnywhereIsDamageNotACrash) {
  const TemporaryFolder folder;
  write_jpeg(folder / "a.jpg", picture(40, 30), 80, TJSAMP_420);
  write_png(folder / "a.png", picture(20, 15));
  for (const char* name : {"a.jpg", "a.png"}) {
    const std::string bytes = read_bytes(folder / name);
    for (size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 150)
      expect_picture_or_damage(folder / "cut", bytes.substr(0, size));
    // All but the last of the pixels' bytes.
    write_bytes(folder / "cut", bytes.substr(0, bytes.size() * 9 / 10));
    EXPECT_THROW(read_image(folder / "cut"), DamagedImage) << name;
  }
}

TEST(ReadImage, RandomBytesAnywhereAreDamageNotACrash) {
  const TemporaryFolder folder;
  write_jpeg(folder / "a.jpg", picture(40, 30), 80, TJSAMP_420);
  write_png(folder / "a.png", picture(20, 15));
  constexpr uint64_t kSeed = 11;
  Random random(kSeed);
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  for (const char* name : {"a.jpg", "a.png"}) {
    const std::string bytes = read_bytes(folder / name);
    for (int round = 0; round < 200; ++round) {
      std::string damaged = bytes;
      for (uint32_t i = 0; i <= random.below(6); ++i)
        damaged[random.below(static_cast<uint32_t>(bytes.size()))] = static_cast<char>(random.below(256));
      expect_picture_or_damage(folder / "damaged", damaged);
    }
  }
}

TEST(Luma, IsTheWeightedMean) {
  const at::Tensor rgb = picture(7, 9);
  const auto parts = at::tensor({0.299, 0.587, 0.114}, at::kDouble).view({3, 1, 1});
  EXPECT_LE(distance(to_grayscale(rgb), (rgb.to(at::kDouble) * parts).sum(0, true).round()), 1);
}

TEST(Framed, CutsTheMiddleOfWhatIsLargeEnough) {
  // Without resizing, the frame is a cut alone.
  const at::Tensor image = picture(10, 17);
  const at::Tensor cut = resize_center_crop(image, {.size = 6, .resize = 10});
  EXPECT_TRUE(at::equal(cut, image.narrow(1, 2, 6).narrow(2, 6, 6)));  // (17 − 6)/2 = 5.5 rounds to even
}

TEST(Framed, ByDefaultLeavesTheMarginOfImageNet) {
  EXPECT_EQ((ImageFrame{.size = 224}).shorter_side(), 256);
  EXPECT_EQ((ImageFrame{.size = 32}).shorter_side(), 37);
  EXPECT_EQ((ImageFrame{.size = 224, .resize = 232}).shorter_side(), 232);
  EXPECT_TRUE(at::equal(resize_center_crop(picture(32, 32), {.size = 32}), picture(32, 32)));
  EXPECT_FALSE(at::equal(resize_center_crop(picture(32, 32), {.size = 32, .resize = 37}), picture(32, 32)));
  EXPECT_EQ(resize_center_crop(picture(300, 500), {.size = 224}).sizes(), at::IntArrayRef({3, 224, 224}));
  EXPECT_EQ(resize_center_crop(picture(500, 20), {.size = 224}).sizes(), at::IntArrayRef({3, 224, 224}));
}

TEST(Framed, RefusesAnImageThatResizingWouldMakeHuge) {
  EXPECT_THROW(resize_center_crop(at::zeros({3, 1, 1000000}, at::kByte), {.size = 224}), std::runtime_error);
}

TEST(Framed, RefusesAFrameWithoutRoom) {
  EXPECT_THROW(resize_center_crop(picture(9, 9), {.size = 0}), std::invalid_argument);
  EXPECT_THROW(resize_center_crop(picture(9, 9), {.size = 9, .resize = 8}), std::invalid_argument);
}

TEST(Resized, HalvingIsTheTriangleOfFourPixels) {
  // Antialiased bilinear by a half: weights 1, 3, 3, 1 eighths of the pixels at −1, 0, 1, 2.
  const at::Tensor image = picture(12, 16);
  const at::Tensor small = resize_image(image, 6, 8);
  const auto halved = [](const at::Tensor& x, int64_t axis) {
    const int64_t n = x.size(axis) / 2;
    const auto part = [&](int64_t first) { return x.slice(axis, first, first + 2 * (n - 2) - 1, 2); };
    return (part(1) + 3 * part(2) + 3 * part(3) + part(4)) / 8;  // of all but the first and the last
  };
  const at::Tensor expected = halved(halved(image.to(at::kDouble), 1), 2).round();
  EXPECT_LE(distance(small.narrow(1, 1, 4).narrow(2, 1, 6), expected), kResizeLevels);
}

/// The mean of areas a, uniform in [0.08, 1], with ratios r, log-uniform in [3/4, 4/3], of those parts that
/// fit into an image of sides 1 and `aspect`: a·r ≤ aspect and a/r ≤ 1/aspect.
double mean_area_that_fits(double aspect) {
  constexpr int kSteps = 400;
  double sum = 0, count = 0;
  for (int i = 0; i < kSteps; ++i)
    for (int j = 0; j < kSteps; ++j) {
      const double area = 0.08 + 0.92 * (i + 0.5) / kSteps;
      const double ratio = 0.75 * std::pow(16.0 / 9, (j + 0.5) / kSteps);
      if (area * ratio > aspect || area / ratio > 1 / aspect) continue;
      sum += area;
      ++count;
    }
  return sum / count;
}

TEST(RandomRegion, IsInsideWithTheAreaAndRatioAsked) {
  Random random(5);
  double least = 1, greatest = 0, sum = 0;
  constexpr int kDraws = 4000;
  constexpr int64_t kHeight = 400, kWidth = 500;
  for (int i = 0; i < kDraws; ++i) {
    const auto part = random_region(kHeight, kWidth, random);
    ASSERT_GE(part.top, 0);
    ASSERT_GE(part.left, 0);
    ASSERT_LE(part.top + part.height, kHeight);
    ASSERT_LE(part.left + part.width, kWidth);
    const double ratio = static_cast<double>(part.width) / static_cast<double>(part.height);
    ASSERT_GT(ratio, 0.73);  // sides are whole numbers
    ASSERT_LT(ratio, 1.36);
    const double area = static_cast<double>(part.width * part.height) / (kHeight * kWidth);
    least = std::min(least, area);
    greatest = std::max(greatest, area);
    sum += area;
  }
  EXPECT_NEAR(least, 0.08, 0.01);
  EXPECT_GT(greatest, 0.9);
  EXPECT_NEAR(sum / kDraws, mean_area_that_fits(static_cast<double>(kWidth) / kHeight),
              0.015);  // 4 deviations
}

TEST(RandomRegion, TakesTheMiddleOfALongImage) {
  Random random(1);
  const auto wide = random_region(10, 1000, random);
  EXPECT_LE(wide.height, 10);
  EXPECT_LE(wide.width, 13);
  const auto dot = random_region(1, 1, random);
  EXPECT_EQ(dot.height * dot.width, 1);
}

/// What Pillow makes of files that Pillow wrote: export_images.py.
class PillowImages : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(folder_ + "/complete")) GTEST_SKIP() << "no Python wrote " << folder_;
  }
  static at::Tensor expected(const std::string& name) {
    return open_dataset(folder_ + "/" + name, Split::any).inputs[0];
  }
  inline static const std::string folder_ = std::string(INN_TEST_ARCHIVES) + "/images";
};

TEST_F(PillowImages, AreDecodedAsPillowDoes) {
  // Pillow brings its own libjpeg-turbo; CMYK is rounded otherwise.
  constexpr int64_t kDecoderLevels = 2;
  for (const char* name : {"rgb420.jpg", "rgb444.jpg", "progressive.jpg", "gray.jpg", "cmyk.jpg", "rgb.png",
                           "rgba.png", "gray.png", "palette.png"}) {
    const at::Tensor ours = read_image(folder_ + "/" + name);
    EXPECT_LE(distance(ours, expected(std::string(name) + ".pt")), kDecoderLevels) << name;
  }
}

TEST_F(PillowImages, Of16BitsAreRounded) {
  const at::Tensor ours = read_image(folder_ + "/gray16.png");
  EXPECT_LE(distance(ours, expected("gray16.png.pt")), 1);
}

TEST_F(PillowImages, AreResizedAndCutAsTorchvisionDoes) {
  for (const char* name : {"rgb.png", "tall.png"})
    for (const int64_t size : {24, 33, 56}) {
      const at::Tensor ours = resize_center_crop(read_image(folder_ + "/" + name), {.size = size});
      EXPECT_LE(distance(ours, expected(fmt::format("{}.{}.pt", name, size))), kResizeLevels) << name << size;
    }
}

}  // namespace
}  // namespace inn
