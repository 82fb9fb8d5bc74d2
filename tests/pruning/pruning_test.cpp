// Widths from scores, against all the choices that there are.

#include "inn/pruning/pruning.h"
#include "inn/dimension/structure.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "inn/pruning/importance.h"
#include "inn/resampling/verify.h"
#include "network_builder.h"

namespace inn {
namespace {

using test::NetworkBuilder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

using Scores = std::map<GroupId, at::Tensor>;
using Kept = std::map<GroupId, std::vector<int64_t>>;

/// A chain of linear layers of these widths; those of `without_bias` have none.
Network chain(const std::vector<int64_t>& widths, const std::vector<size_t>& without_bias = {}) {
  NetworkBuilder b(8);
  auto x = b.input("x", {2, 5});
  int64_t before = 5;
  for (size_t k = 0; k < widths.size(); ++k) {
    const std::string name = "fc" + std::to_string(k);
    const auto weight = b.parameter(name + ".weight", {widths[k], before});
    const bool plain = std::find(without_bias.begin(), without_bias.end(), k) != without_bias.end();
    x = plain ? b.call("aten::linear", "", {x, weight})
              : b.call("aten::linear", "", {x, weight, b.parameter(name + ".bias", {widths[k]})});
    x = b.call("aten::relu", "", {x});
    before = widths[k];
  }
  return b.finish(b.call("aten::linear", "", {x, b.parameter("out.weight", {2, before})}));
}

Scores random_scores(const AnalysedNetwork& source, uint64_t seed) {
  Scores scores;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const auto id : source.groups.select({}))
    scores[id] = at::rand({source.groups.groups[id].width}, generator, at::TensorOptions(at::kDouble));
  return scores;
}

/// Of all ways to keep `count` channels of `ids`, at least `least[k]` of group ids[k], the one with the
/// greatest sum of scores, found by trying every subset.
Kept best_of_all(const Scores& scores, const std::vector<GroupId>& ids, int64_t count,
                 const std::vector<int64_t>& least) {
  std::vector<std::pair<size_t, int64_t>> channels;
  for (size_t k = 0; k < ids.size(); ++k)
    for (int64_t c = 0; c < scores.at(ids[k]).size(0); ++c) channels.emplace_back(k, c);
  double best = -1;
  Kept result;
  for (uint64_t subset = 0; subset < (uint64_t{1} << channels.size()); ++subset) {
    if (__builtin_popcountll(subset) != count) continue;
    double sum = 0;
    Kept kept;
    std::vector<int64_t> counts(ids.size(), 0);
    for (size_t k = 0; k < channels.size(); ++k) {
      if (((subset >> k) & 1) == 0) continue;
      const auto [group, channel] = channels[k];
      sum += scores.at(ids[group])[channel].item<double>();
      kept[ids[group]].push_back(channel);
      ++counts[group];
    }
    bool allowed = sum > best;
    for (size_t k = 0; k < ids.size(); ++k) allowed = allowed && counts[k] >= least[k];
    if (!allowed) continue;
    best = sum;
    result = kept;
  }
  return result;
}

TEST(Pruning, GloballyKeepsTheBestOfAllSubsets) {
  const auto source = analyse(chain({4, 3, 4}));
  const auto ids = source.groups.select({});
  for (uint64_t seed = 0; seed < 5; ++seed) {
    SCOPED_TRACE(seed);
    const auto scores = random_scores(source, seed);
    EXPECT_EQ(plan_pruning(source, scores, {.keep = 0.4, .scope = PruningScope::global}).kept,
              best_of_all(scores, ids, 4, {1, 1, 1}));  // 0.4·11 = 4.4
    EXPECT_EQ(
        plan_pruning(source, scores, {.keep = 0.5, .scope = PruningScope::global, .limits = {.max_cut = 0.5}})
            .kept,
        best_of_all(scores, ids, 6, {2, 2, 2}));
    EXPECT_EQ(
        plan_pruning(source, scores, {.keep = 0.7, .scope = PruningScope::global, .limits = {.min_width = 3}})
            .kept,
        best_of_all(scores, ids, 9, {3, 3, 3}));
  }
}

TEST(Pruning, IsomorphicallyComparesGroupsOfOneStructureOnly) {
  // fc0 and fc1 and fc4 are alike; fc2 has no bias; fc3 is narrower. Structure sees the width, not the
  // neighbours'.
  const auto source = analyse(chain({4, 4, 4, 3, 4}, {2}));
  const auto id = [&](const char* name) { return source.groups.find(name); };
  EXPECT_EQ(structure_of(source, id("fc0")), structure_of(source, id("fc1")));
  EXPECT_EQ(structure_of(source, id("fc0")), structure_of(source, id("fc4")));
  EXPECT_NE(structure_of(source, id("fc0")), structure_of(source, id("fc2")));
  EXPECT_NE(structure_of(source, id("fc0")), structure_of(source, id("fc3")));
  for (uint64_t seed = 10; seed < 13; ++seed) {
    SCOPED_TRACE(seed);
    const auto scores = random_scores(source, seed);
    const auto plan = plan_pruning(source, scores, {.keep = 0.5, .scope = PruningScope::isomorphic});
    Kept expected = best_of_all(scores, {id("fc0"), id("fc1"), id("fc4")}, 6, {1, 1, 1});
    for (const auto& [name, count] : {std::pair("fc2", 2), std::pair("fc3", 2)})
      expected.merge(best_of_all(scores, {id(name)}, count, {1}));
    EXPECT_EQ(plan.kept, expected);
  }
}

TEST(Pruning, GivesEachGroupItsOwnFraction) {
  const auto source = analyse(chain({8, 8, 8, 8}));
  const auto scores = random_scores(source, 1);
  const auto plan = plan_pruning(source, scores,
                                 {.keep = 0.5,
                                  .exclude = {"fc3"},
                                  .keep_of = {{"fc[12]", 0.75}, {"fc2", 0.25}},
                                  .widths = {{"fc0", 7}}});
  std::map<std::string, size_t> widths;
  for (const auto& [id, kept] : plan.kept) widths[source.groups.groups[id].name] = kept.size();
  EXPECT_THAT(widths, ElementsAre(Pair("fc0", 7U), Pair("fc1", 6U), Pair("fc2", 2U)));
  for (const auto& [id, kept] : plan.kept)
    EXPECT_EQ(kept, most_important(scores.at(id), static_cast<int64_t>(kept.size())));
  EXPECT_TRUE(plan.notes.empty());
}

TEST(Pruning, ThatWouldEmptyAGroupKeepsOneAndSaysSo) {
  const auto source = analyse(chain({6, 40}));
  auto scores = random_scores(source, 2);
  const auto plan = plan_pruning(source, scores, {.keep = 0.05});
  EXPECT_EQ(plan.kept.at(source.groups.find("fc0")).size(), 1U);
  EXPECT_EQ(plan.kept.at(source.groups.find("fc1")).size(), 2U);
  EXPECT_THAT(plan.notes,
              ElementsAre("Group 'fc0': keeping 0.05 of 6 channels would leave none; it keeps 1."));

  scores[source.groups.find("fc0")] = at::zeros({6}, at::kDouble);
  const auto global = plan_pruning(source, scores, {.keep = 0.5, .scope = PruningScope::global});
  EXPECT_EQ(global.kept.at(source.groups.find("fc0")).size(), 1U);
  EXPECT_EQ(global.kept.at(source.groups.find("fc1")).size(), 22U);
  EXPECT_THAT(global.notes, ElementsAre(HasSubstr("Group 'fc0': none of its 6 channels reaches")));
}

TEST(Pruning, LeavesMultiplesOfEight) {
  const auto source = analyse(chain({64, 20, 36, 5}));
  const auto scores = random_scores(source, 3);
  for (const auto scope : {PruningScope::uniform, PruningScope::global, PruningScope::isomorphic})
    for (const double keep : {0.01, 0.3, 0.5, 0.77, 1.0})
      for (const auto rounding : {Rounding::nearest, Rounding::up})
        for (const auto& [id, kept] :
             plan_pruning(source, scores,
                          {.keep = keep, .scope = scope, .limits = {.round_to = 8, .rounding = rounding}})
                 .kept) {
          const auto& group = source.groups.groups[id];
          const auto width = static_cast<int64_t>(kept.size());
          EXPECT_TRUE(group.width < 8 ? width == group.width : width % 8 == 0)
              << group.name << " has " << width << " of " << group.width;
        }
}

/// The best multiple among those that are allowed, by looking at each.
int64_t limited_by_search(int64_t width, int64_t source, const WidthLimits& limits) {
  int64_t best = -1;
  for (int64_t candidate = limits.round_to; candidate <= source; candidate += limits.round_to) {
    if (candidate < limits.min_width && candidate < source) continue;
    if (static_cast<double>(source - candidate) > limits.max_cut * static_cast<double>(source)) continue;
    if (best == -1) best = candidate;
    const bool nearer = std::abs(candidate - width) <= std::abs(best - width);  // of two the wider
    if (limits.rounding == Rounding::up ? best < width : nearer) best = candidate;
  }
  return best == -1 ? source : best;
}

TEST(WidthLimits, GiveTheMultipleThatASearchFinds) {
  for (const int64_t source : {1, 5, 8, 12, 20, 33})
    for (const int64_t step : {1, 4, 8})
      for (const int64_t least : {1, 6, 18})
        for (const double cut : {1.0, 0.5, 0.0})
          for (const auto rounding : {Rounding::nearest, Rounding::up})
            for (int64_t width = 1; width <= source; ++width) {
              const WidthLimits limits{
                  .max_cut = cut, .round_to = step, .rounding = rounding, .min_width = least};
              EXPECT_EQ(limited_width(width, source, limits), limited_by_search(width, source, limits))
                  << width << " of " << source << ", multiples of " << step << ", at least " << least
                  << ", cut " << cut;
            }
  EXPECT_EQ(limited_width(21, 16, {.round_to = 8}), 24);  // growth has no end
  EXPECT_EQ(least_width(10, {.max_cut = 0.7}), 3);
  EXPECT_THROW(check_limits({.max_cut = 1.5}), std::invalid_argument);
  EXPECT_THROW(check_limits({.round_to = 0}), std::invalid_argument);
  EXPECT_THROW(check_limits({.min_width = 0}), std::invalid_argument);
}

TEST(Pruning, RefusesWhatIsNoWidth) {
  const auto source = analyse(chain({4, 4}));
  const auto groups = [&](const PruneOptions& options) { return groups_to_prune(source, options); };
  EXPECT_THROW(groups({}), std::invalid_argument);
  EXPECT_THROW(groups({.keep = -0.1}), std::invalid_argument);
  EXPECT_THROW(groups({.keep = 1.1}), std::invalid_argument);
  EXPECT_THROW(groups({.keep_of = {{"fc0", std::nan("")}}}), std::invalid_argument);
  EXPECT_THROW(groups({.keep = 0.5, .groups = {"conv*"}}), std::invalid_argument);
  EXPECT_THROW(groups({.widths = {{"fc0", 5}}}), std::invalid_argument);
  EXPECT_THROW(groups({.widths = {{"fc0", 0}}}), std::invalid_argument);
  EXPECT_THROW(groups({.widths = {{"out", 1}}}), std::invalid_argument);
  EXPECT_THROW(groups({.widths = {{"fc9", 1}}}), std::invalid_argument);
  EXPECT_EQ(groups({.keep = 0.5, .exclude = {"fc1"}}), std::vector<GroupId>{source.groups.find("fc0")});
}

/// conv → batch norm → conv → flatten → linear with these channels of each, and the tensors given.
Network written_by_hand(const std::function<at::Tensor(const std::string&)>& tensor) {
  NetworkBuilder b;
  const auto state = [&](const std::string& name, StateEntry::Kind kind = StateEntry::Kind::parameter) {
    return b.state(name, tensor(name), kind);
  };
  auto x = b.input("x", {2, 3, 7, 7});
  x = b.call("aten::conv2d", "", {x, state("conv1.weight"), state("conv1.bias")});
  x = b.call("aten::batch_norm", "",
             {x, state("bn.weight"), state("bn.bias"), state("bn.mean", StateEntry::Kind::buffer),
              state("bn.var", StateEntry::Kind::buffer), false, 0.1, 1e-5, false});
  x = b.call("aten::conv2d", "", {b.call("aten::relu", "", {x}), state("conv2.weight"), state("conv2.bias")});
  x = b.call("aten::flatten", "using_ints", {b.call("aten::relu", "", {x}), 1, 3});
  return b.finish(b.call("aten::linear", "", {x, state("fc.weight")}));
}

TEST(Pruning, GivesTheNetworkWrittenWithoutThoseChannels) {
  const std::map<std::string, std::vector<int64_t>> sizes{{"conv1.weight", {6, 3, 3, 3}},
                                                          {"conv1.bias", {6}},
                                                          {"bn.weight", {6}},
                                                          {"bn.bias", {6}},
                                                          {"bn.mean", {6}},
                                                          {"bn.var", {6}},
                                                          {"conv2.weight", {8, 6, 3, 3}},
                                                          {"conv2.bias", {8}},
                                                          {"fc.weight", {4, 72}}};
  const auto source = analyse(written_by_hand([&](const std::string& name) {
    return at::rand(sizes.at(name), at::TensorOptions(at::kDouble)) + 0.1;
  }));
  const auto ids = source.groups.select({});
  const auto scores = importance_scores(source, ids, find_importance("l2"));
  const auto plan = plan_pruning(source, scores, {.keep = 0.5, .scope = PruningScope::global});
  const auto first = at::tensor(plan.kept.at(source.groups.find("conv1")));
  const auto second = at::tensor(plan.kept.at(source.groups.find("conv2")));
  const auto by_hand = written_by_hand([&](const std::string& name) {
    const auto& tensor = source.network.state[source.network.find_state(name)].tensor;
    if (name == "conv2.weight") return tensor.index_select(0, second).index_select(1, first);
    if (name == "conv2.bias") return tensor.index_select(0, second);
    if (name == "fc.weight") return tensor.view({4, 8, 9}).index_select(1, second).flatten(1);
    return tensor.index_select(0, first);
  });
  const auto pruned = resample(source, plan.maps(source.groups));
  const auto inputs = random_inputs(source.network, 7);
  EXPECT_TRUE(at::equal(pruned.forward(inputs)[0].toTensor(), by_hand.forward(inputs)[0].toTensor()));
}

}  // namespace
}  // namespace inn
