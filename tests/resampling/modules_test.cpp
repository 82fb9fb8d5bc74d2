// The groups of small networks of many kinds, proved: see export_modules.py.

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "inn/network/files.h"
#include "inn/resampling/equal_channels.h"
#include "inn/resampling/verify.h"
#include "resampling/hand_over.h"

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
    const auto source = analyse(read_pt2(file.path()));
    EXPECT_TRUE(source.groups.unknown_operators.empty());
    for (const auto& verification : verify_groups(source, {}))
      EXPECT_TRUE(verification.ok()) << verification.name << ": " << verification.failure;
    for (const auto& verification : verify_equal_channels(source, {}))
      EXPECT_TRUE(verification.ok()) << verification.name << ": " << verification.failure;
    const Network half = resample(source, test::half_of_every_group(source));
    test::hand_over(half, {random_inputs(half, 1)}, std::filesystem::path(INN_TEST_WRITTEN) / "modules",
                    name);
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
}

}  // namespace
}  // namespace inn
