#include "suffix_runs.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "networks/random_network.h"
#include "networks/rule_examples.h"
#include "resampling/hand_over.h"

namespace inn {
namespace {

std::vector<at::Tensor> complete_run(const AnalysedNetwork& source, const std::vector<c10::IValue>& inputs,
                                     const std::map<GroupId, GroupMaps>& maps) {
  std::vector<at::Tensor> tensors;
  for (const auto& output : resample(source, maps).forward(inputs))
    if (output.isTensor()) tensors.push_back(output.toTensor());
  return tensors;
}

/// Returns how many calls the last position leaves out.
size_t expect_equal_to_complete_runs(const AnalysedNetwork& source) {
  const auto inputs = random_inputs(source.network, 3);
  SuffixRuns runs(source, inputs, [&](size_t s) { return source.network.state[s].tensor; });
  auto ids = source.groups.select({});
  std::stable_sort(ids.begin(), ids.end(),
                   [&](GroupId a, GroupId b) { return runs.first_call(a) < runs.first_call(b); });
  const auto halves = test::half_of_every_group(source);
  for (const auto id : ids) {
    SCOPED_TRACE(source.groups.groups[id].name);
    const std::map<GroupId, GroupMaps> maps{{id, halves.at(id)}};
    const auto expected = complete_run(source, inputs, maps);
    runs.advance(runs.first_call(id));
    const auto found = runs.run(maps);
    EXPECT_EQ(found.size(), expected.size());
    for (size_t k = 0; k < std::min(found.size(), expected.size()); ++k)
      EXPECT_TRUE(at::allclose(found[k], expected[k], 1e-4, 1e-5, true))
          << "output " << k << ": " << (found[k] - expected[k]).abs().max();
  }
  return ids.empty() ? 0 : runs.first_call(ids.back());
}

TEST(SuffixRuns, EqualCompleteRunsOnAnExampleOfEveryRule) {
  const at::NoGradGuard no_grad;
  size_t left_out = 0;
  for (const auto& [name, make] : test::rule_examples()) {
    if (name.find("rand") != name.npos || name.find("dropout") != name.npos)
      continue;  // other numbers each run
    SCOPED_TRACE(name);
    left_out += expect_equal_to_complete_runs(analyse(make()));
  }
  EXPECT_GT(left_out, 100u);
}

TEST(SuffixRuns, EqualCompleteRunsOnRandomNetworks) {
  const at::NoGradGuard no_grad;
  size_t left_out = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    left_out +=
        expect_equal_to_complete_runs(analyse(test::random_network(test::random_steps(seed, 8), seed)));
  }
  EXPECT_GT(left_out, 20u);
}

TEST(SuffixRuns, RefuseGroupsBeforeThePosition) {
  const at::NoGradGuard no_grad;
  const auto source = analyse(test::random_network(test::random_steps(1, 8), 1));
  const auto ids = source.groups.select({});
  SuffixRuns runs(source, random_inputs(source.network, 3),
                  [&](size_t s) { return source.network.state[s].tensor; });
  runs.advance(source.network.calls.size());
  ASSERT_FALSE(ids.empty());
  const auto halves = test::half_of_every_group(source);
  EXPECT_THAT(
      [&] {
        runs.run({{ids[0], halves.at(ids[0])}});
      },
      testing::ThrowsMessage<std::logic_error>(testing::HasSubstr("before the position")));
}

}  // namespace
}  // namespace inn
