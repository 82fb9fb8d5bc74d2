// A trained network with zero-padded shortcuts, cut to half and handed to Python (load_check.py runs it
// there).

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "inn/network/files.h"
#include "inn/pruning/importance.h"
#include "inn/resampling/maps.h"
#include "resampling/hand_over.h"

namespace inn {
namespace {

TEST(Resnet20Half, IsWrittenForPythonAtOtherBatchSizes) {
#ifndef INN_SHARED_DATA
  GTEST_SKIP() << "the folder of resnet20.pt2 is not there";
#else
  const at::NoGradGuard no_grad;
  const auto source = analyse(read_pt2(std::filesystem::path(INN_SHARED_DATA) / "resnet20.pt2"));
  std::map<GroupId, GroupMaps> maps;
  const auto scores =
      importance_scores(source, source.groups.select({"layer*.*.conv1"}), find_importance("l1"));
  for (const auto& [id, score] : scores) {
    const int64_t width = source.groups.groups[id].width;
    maps.emplace(id, selection_maps(width, most_important(score, width / 2)));
  }
  ASSERT_EQ(maps.size(), 9u);
  const Network half = resample(source, maps);
  test::hand_over(half, {{at::randn({1, 3, 32, 32})}, {at::randn({33, 3, 32, 32})}}, INN_TEST_WRITTEN,
                  "resnet20_half");
#endif
}

}  // namespace
}  // namespace inn
