// The groups of torchvision's networks, proved: see export_torchvision.py.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "inn/grid/grid.h"
#include "inn/network/files.h"
#include "inn/resampling/maps.h"
#include "inn/resampling/verify.h"
#include "resampling/hand_over.h"

namespace inn {
namespace {

class Torchvision : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path archive() const {
    return std::filesystem::path(INN_TEST_ARCHIVES) / "torchvision" / (std::string(GetParam()) + ".pt2");
  }
  void SetUp() override {
    if (!std::filesystem::exists(archive())) GTEST_SKIP() << "no archive: torchvision is not installed";
  }
};

TEST_P(Torchvision, EveryGroupIsProvedAndOnlyInputAndClassesArePinned) {
  const auto source = analyse(read_pt2(archive()));
  EXPECT_TRUE(source.groups.unknown_operators.empty());
  std::vector<std::string> reasons;
  for (const auto& group : source.groups.groups)
    if (group.pinned && !group.positions) reasons.push_back(*group.pinned);
  EXPECT_EQ(reasons, (std::vector<std::string>{"axis 1 of the input 'x'", "axis 1 of output 0"}));
  // Through some hundred layers rounding grows; a wrong group differs in the first digits.
  for (const auto& verification : verify_groups(source, {.tolerance = 1e-9})) {
    EXPECT_TRUE(verification.ok()) << verification.name << ": " << verification.failure;
    EXPECT_GT(verification.producer_effect, 1e-9)
        << verification.name << " does not affect the outputs, so the verification is vacuous";
  }
}

TEST_P(Torchvision, CutToHalfRunsAndIsWrittenForPython) {
  const auto source = analyse(read_pt2(archive()));
  const Network half = resample(source, test::half_of_every_group(source));
  half.validate();
  at::NoGradGuard no_grad;
  const auto inputs = random_inputs(half, 1);
  const auto outputs = half.forward(inputs);
  ASSERT_EQ(outputs.at(0).toTensor().size(1), 10);

  const auto folder = std::filesystem::path(INN_TEST_WRITTEN) / "torchvision";
  test::hand_over(half, test::inputs_of_all_sizes(half, 1), folder, GetParam());

  // Read again it is the same network.
  const auto again = read_pt2(folder / (std::string(GetParam()) + ".pt2")).forward(inputs);
  EXPECT_TRUE(at::allclose(again.at(0).toTensor(), outputs.at(0).toTensor(), 1e-5, 1e-6));
}

TEST_P(Torchvision, RunsAtOtherBatchSizesThanItWasExportedAt) {
  const auto source = analyse(read_pt2(archive()));
  at::NoGradGuard no_grad;
  auto sizes = source.network.values[source.network.inputs[0]].sizes;
  sizes[0] = 3;
  const auto images = at::randn(sizes);
  const auto all = source.network.forward(images);
  ASSERT_EQ(all.size(0), 3);
  const auto one = source.network.forward(images.narrow(0, 1, 1));
  EXPECT_LT((all.narrow(0, 1, 1) - one).abs().max().item<double>(), 1e-4 * all.abs().max().item<double>());
}

INSTANTIATE_TEST_SUITE_P(Networks, Torchvision,
                         testing::Values("resnet18", "vgg11_bn", "densenet121", "mobilenet_v2",
                                         "mobilenet_v3_small", "efficientnet_b0", "squeezenet1_1",
                                         "googlenet", "inception_v3", "alexnet"),
                         [](const auto& info) { return std::string(info.param); });

/// Small configurations of torchvision's other architectures: see small_networks() in export_torchvision.py.
class SmallTorchvision : public testing::TestWithParam<const char*> {};

/// What may be pinned in them, and why: the network's own axes, tables of positions (with the class token's own),
/// and the number of a channel shuffle's parts, with the channels that its halves part.
bool is_true_reason(const std::string& reason) {
  for (const auto* part : {"axis 1 of the input", "axis 1 of output", "selects along it by position",
                           "treats its positions individually", "splits inside one of its positions",
                           "requires exactly", "not a channel dimension"})
    if (reason.find(part) != std::string::npos) return true;
  return false;
}

TEST_P(SmallTorchvision, GroupsAreProvedAndHalvesRunInPython) {
  const auto name = std::string("small/") + GetParam();
  const auto archive = std::filesystem::path(INN_TEST_ARCHIVES) / "torchvision" / (name + ".pt2");
  if (!std::filesystem::exists(archive)) GTEST_SKIP() << "no archive: torchvision is not installed";
  const at::NoGradGuard no_grad;
  const auto source = analyse(read_pt2(archive));
  EXPECT_TRUE(source.groups.unknown_operators.empty());
  for (const auto& group : source.groups.groups)
    EXPECT_TRUE(!group.pinned || group.positions || is_true_reason(*group.pinned))
        << group.name << ": " << *group.pinned;
  const auto together = verify_together(source, {});
  EXPECT_TRUE(together.ok()) << together.failure;
  EXPECT_GT(together.producer_effect, 1e-9);
  const Network half = resample(source, test::half_of_every_group(source));
  test::hand_over(half, test::inputs_of_all_sizes(half, 1),
                  std::filesystem::path(INN_TEST_WRITTEN) / "torchvision", GetParam());
}

INSTANTIATE_TEST_SUITE_P(Networks, SmallTorchvision,
                         testing::Values("vit", "swin", "swin_v2", "maxvit", "convnext", "shufflenet",
                                         "regnet", "mnasnet", "lraspp", "swin3d"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace inn
