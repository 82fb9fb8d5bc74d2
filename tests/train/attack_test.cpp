#include "inn/train/attack.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

namespace inn {
namespace {

using testing::HasSubstr;

const Normalization kThreeColors{{0.4, 0.5, 0.6}, {0.2, 0.3, 0.25}};

at::Tensor pixels_of(const at::Tensor& images) {
  const auto options = images.options();
  return images * at::tensor(kThreeColors.std, options).view({1, 3, 1, 1}) +
         at::tensor(kThreeColors.mean, options).view({1, 3, 1, 1});
}

at::Tensor images_of(int64_t count) {
  const auto pixels = at::rand({count, 3, 8, 8});
  return (pixels - at::tensor(kThreeColors.mean, at::kFloat).view({1, 3, 1, 1})) /
         at::tensor(kThreeColors.std, at::kFloat).view({1, 3, 1, 1});
}

class Attacks : public testing::Test {
 protected:
  Attacks() { torch::manual_seed(0); }
  at::Tensor weight = at::randn({4, 3 * 8 * 8});
  ForwardFunction linear = [this](const at::Tensor& x) { return at::linear(x.flatten(1), weight); };
  at::Tensor images = images_of(6), labels = at::arange(6) % 4;

  at::Tensor losses(const at::Tensor& x) const {
    return at::cross_entropy_loss(linear(x), labels, {}, at::Reduction::None);
  }
};

TEST_F(Attacks, StayWithinEpsAndWithinTheRangeOfPixels) {
  for (const std::string text :
       {"fgsm:eps=0.1", "pgd:eps=0.1,steps=5,restarts=2", "pgd:eps=0.1,steps=3,step=1"}) {
    const auto made = attacked(linear, images, labels, Attack::parse(text), kThreeColors, 1);
    const auto change = pixels_of(made) - pixels_of(images);
    EXPECT_LE(change.abs().max().item<double>(), 0.1 + 1e-5) << text;
    EXPECT_GE(pixels_of(made).min().item<double>(), -1e-5) << text;
    EXPECT_LE(pixels_of(made).max().item<double>(), 1 + 1e-5) << text;
    EXPECT_TRUE((losses(made) > losses(images)).all().item<bool>()) << text;
    EXPECT_FALSE(made.requires_grad());
  }
}

// Of two classes the loss of a linear network grows along one direction, whose sign is the worst that pixels can do.
TEST_F(Attacks, FindTheWorstImageOfALinearNetwork) {
  weight = weight.narrow(0, 0, 2);
  labels = at::zeros({6}, at::kLong);
  const auto grey = images * 0;  // far from the ends of the range
  const auto direction = (weight[1] - weight[0]).sign().view({1, 3, 8, 8});
  const auto worst = grey + 0.05 * direction / at::tensor(kThreeColors.std, at::kFloat).view({1, 3, 1, 1});
  for (const std::string text : {"fgsm:eps=0.05", "pgd:eps=0.05,steps=10,restarts=2"})
    EXPECT_LE((attacked(linear, grey, labels, Attack::parse(text), kThreeColors, 1) - worst)
                  .abs()
                  .max()
                  .item<double>(),
              1e-5);
}

TEST_F(Attacks, AreNoWeakerWithMoreRestarts) {
  const auto loss_with = [&](int64_t restarts) {
    return losses(attacked(linear, images, labels,
                           {.kind = "pgd", .eps = 0.1, .steps = 2, .restarts = restarts}, kThreeColors, 1));
  };
  EXPECT_TRUE((loss_with(4) >= loss_with(1)).all().item<bool>());
}

TEST(Corruptions, AreWhatTheyAreDefinedAs) {
  torch::manual_seed(1);
  const auto images = images_of(200), pixels = pixels_of(images);
  const auto made = [&](const std::string& text) {
    return pixels_of(corrupted(images, Corruption::parse(text), kThreeColors, 3));
  };
  const auto grey = images * 0;  // no pixel is clamped
  const auto noise =
      pixels_of(corrupted(grey, Corruption::parse("noise:5"), kThreeColors, 3)) - pixels_of(grey);
  EXPECT_NEAR(noise.std().item<double>(), 0.10, 0.002);
  const auto mean = pixels.mean({1, 2, 3}, true);
  EXPECT_LE((made("contrast:5") - ((pixels - mean) * 0.15 + mean)).abs().max().item<double>(), 1e-5);
  EXPECT_NEAR(made("blur:5").mean().item<double>(), pixels.mean().item<double>(), 2e-3);
  EXPECT_LT(made("blur:5").std().item<double>(), 0.5 * pixels.std().item<double>());
  EXPECT_TRUE(made("noise:2").equal(made("noise:2")));
}

TEST(AttackTexts, SayWhatIsWrong) {
  EXPECT_EQ(Attack::parse("fgsm").eps, 8.0 / 255);
  const Attack attack = Attack::parse("pgd:eps=2/255,steps=7,restarts=3,step=0.01");
  EXPECT_EQ(attack.eps, 2.0 / 255);
  EXPECT_EQ(attack.steps, 7);
  EXPECT_EQ(attack.restarts, 3);
  EXPECT_EQ(attack.step, 0.01);
  for (const auto& [text, message] :
       std::vector<std::pair<std::string, std::string>>{{"cw", "unknown kind"},
                                                        {"fgsm:eps", "no number"},
                                                        {"fgsm:eps=x", "no number"},
                                                        {"fgsm:eps=1/0", "no number"},
                                                        {"pgd:eps=2", "in (0, 1]"},
                                                        {"pgd:steps=0", "from 1"},
                                                        {"pgd:steps=1.5", "from 1"},
                                                        {"fgsm:steps=3", "unknown parameter 'steps'"},
                                                        {"pgd:step=0", "positive"}})
    try {
      Attack::parse(text);
      FAIL() << text;
    } catch (const std::invalid_argument& error) {
      EXPECT_THAT(error.what(), HasSubstr(message)) << text;
    }
  for (const std::string text : {"fog:1", "noise", "noise:", "noise:0", "noise:6", "noise:12", ""})
    EXPECT_THROW(Corruption::parse(text), std::invalid_argument) << text;
}

}  // namespace
}  // namespace inn
