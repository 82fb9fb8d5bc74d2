// The groups of small networks of many kinds, proved: see export_modules.py.

#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "inn/dimension/listed_axes.h"
#include "inn/network/files.h"
#include "inn/resampling/equal_channels.h"
#include "inn/resampling/verify.h"
#include "resampling/hand_over.h"
#include "temporary_folder.h"

namespace inn {
namespace {

const std::filesystem::path kArchives = std::filesystem::path(INN_TEST_ARCHIVES) / "modules";

/// The widths of the groups that can be resized, in ascending order.
std::vector<int64_t> widths(const std::string& name) {
  std::vector<int64_t> found;
  for (const auto& group : analyse(read_pt2(kArchives / (name + ".pt2"))).groups.groups)
    if (!group.pinned) found.push_back(group.width);
  std::sort(found.begin(), found.end());
  return found;
}

TEST(ExportedModules, HaveGroupsThatAreProvedAndHalvesThatPythonRuns) {
  if (!std::filesystem::exists(kArchives)) GTEST_SKIP() << "no archives: Python has not exported them";
  const at::NoGradGuard no_grad;
  for (const auto& file : std::filesystem::directory_iterator(kArchives)) {
    if (file.path().extension() != ".pt2") continue;
    const auto name = file.path().stem().string();
    SCOPED_TRACE(name);
    const Network network = read_pt2(file.path());
    const auto source = analyse(network);
    EXPECT_TRUE(source.groups.unknown_operators.empty());
    EXPECT_THAT(unlisted_axes(source), testing::IsEmpty());
    for (const auto& verification : verify_groups(source, {}))
      EXPECT_TRUE(verification.ok()) << verification.name << ": " << verification.failure;
    for (const auto& verification : verify_equal_channels(source, {}))
      EXPECT_TRUE(verification.ok()) << verification.name << ": " << verification.failure;
    const Network half = resample(source, test::half_of_every_group(source));
    const auto written = std::filesystem::path(INN_TEST_WRITTEN) / "modules";
    test::hand_over(half, test::inputs_of_all_sizes(half, 1), written, name);
    test::hand_over(source.network, test::inputs_of_all_sizes(network, 1), written, name + ".full", network);
  }
}

TEST(ExportedModules, RunAtOtherInputSizesAsTheirSourceDoes) {
  if (!std::filesystem::exists(kArchives)) GTEST_SKIP() << "no archives: Python has not exported them";
  const at::NoGradGuard no_grad;
  const TemporaryFolder folder;
  for (const auto& file : std::filesystem::directory_iterator(kArchives)) {
    if (file.path().extension() != ".pt2") continue;
    SCOPED_TRACE(file.path().stem().string());
    const Network network = read_pt2(file.path());
    const auto source = analyse(network);
    EXPECT_EQ(test::failure_at_other_sizes(network, source.network, true), "");
    const Network half = resample(source, test::half_of_every_group(source));
    EXPECT_EQ(test::failure_at_other_sizes(network, half, false), "");
    if (network.ranges.empty()) continue;  // static, as the file then is
    const auto path = folder / "network.pt2";
    write_pt2(source.network, path);
    EXPECT_EQ(test::failure_at_other_sizes(network, read_pt2(path), true), "");
    write_pt2(half, path);
    const Network read = read_pt2(path);
    EXPECT_EQ(test::failure_at_other_sizes(network, read, false), "");
    // What the file says of sizes is what they are.
    EXPECT_EQ(test::failure_at_other_sizes(half, analyse(read).network, true), "");
  }
}

TEST(ExportedModules, HaveTheGroupsThatTheirArchitecturesHave) {
  if (!std::filesystem::exists(kArchives)) GTEST_SKIP() << "no archives: Python has not exported them";
  using Widths = std::vector<int64_t>;
  // head dimension, heads, embedding
  EXPECT_EQ(widths("self_attention"), (Widths{4, 4, 16}));
  // of the memory 12, of the embedding that is read 16 (which the output projection gives anew), heads 2 of 8
  EXPECT_EQ(widths("cross_attention"), (Widths{2, 8, 12, 16, 16}));
  // each layer: rotary pairs 3, shared heads 2, queries a head 2, perceptron 24; embedding 16
  EXPECT_EQ(widths("llama"), (Widths{2, 2, 2, 2, 3, 6, 6, 16, 24, 24}));
  // lstm: projected 6, hidden 8; gru 7 of two layers; rnn 9; cell 10
  EXPECT_EQ(widths("recurrent"), (Widths{6, 7, 8, 9, 10}));
  // tokens' hidden 7, channels' 20, embedding 16
  EXPECT_EQ(widths("mixer"), (Widths{7, 16, 20}));
  // heads 3 of 4, folded into a batch that is static or dynamic
  EXPECT_EQ(widths("folded_heads_static"), (Widths{3, 4, 4}));
  EXPECT_EQ(widths("folded_heads"), (Widths{3, 4, 4}));
  EXPECT_EQ(widths("window_heads"), (Widths{3, 4}));
  // learned tokens 3, heads 2 of 4, embedding 8
  EXPECT_EQ(widths("prompt"), (Widths{2, 3, 4, 8}));
  // queries 3, head dimension 4 of queries and keys, and of values: of one projection
  EXPECT_EQ(widths("fused_queries"), (Widths{3, 3, 4, 4}));
  // rotary pairs 4, heads 3, head dimension of the values 6
  EXPECT_EQ(widths("interleaved_rotary"), (Widths{3, 4, 6}));
  // cardinal groups 2 and what each holds of the trunk 3
  EXPECT_EQ(widths("split_attention"), (Widths{2, 3}));
  // lifted 6, mixed modes 8
  EXPECT_EQ(widths("fourier"), (Widths{6, 8}));
  // embedding 16, hidden of the experts 12
  EXPECT_EQ(widths("experts"), (Widths{12, 16}));
}

TEST(ExportedModules, PinWithAReasonWhatAConvolutionSlidesAlong) {
  if (!std::filesystem::exists(kArchives)) GTEST_SKIP() << "no archives: Python has not exported them";
  const auto source = analyse(read_pt2(kArchives / "channel_convolution.pt2"));
  const auto& group = source.groups.groups[source.groups.find("middle")];
  EXPECT_EQ(group.width, 10);
  EXPECT_EQ(group.pinned, "aten::conv1d (along) slides a window along it");
  EXPECT_FALSE(group.positions);
  EXPECT_TRUE(source.groups.groups[source.groups.find("along.weight[2]")].positions);
}

}  // namespace
}  // namespace inn
