// Pruning group by group and step by step, of traced modules and written networks.

#include "inn/pruning/pruner.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <set>

#include "attention_network.h"
#include "inn/dimension/fraction_groups.h"
#include "inn/dimension/tracer.h"
#include "inn/resampling/verify.h"
#include "network_builder.h"
#include "networks/rule_examples.h"

namespace inn {
namespace {

using test::NetworkBuilder;

/// A U-Net with a flattened head: sums, products with inner positions, and a fused pair of projections.
Network branched() {
  NetworkBuilder b(9);
  const auto convolve = [&](ValueRef x, const std::string& name, int64_t in, int64_t out) {
    const auto weight = b.parameter(name + ".weight", {out, in, 3, 3});
    return b.call("aten::relu", "", {b.call("aten::conv2d", "", {x, weight, {}, {1, 1}, {1, 1}, {1, 1}, 1})});
  };
  const auto x = b.input("x", {2, 3, 4, 4});
  const auto left = convolve(x, "left", 3, 6), right = convolve(x, "right", 3, 8);
  const auto joined = b.call("aten::cat", "", {std::vector<ValueRef>{left, right}, 1});
  auto y = b.batch_norm("norm", joined, 14);
  y = b.call("aten::flatten", "using_ints", {convolve(y, "mix", 14, 4), 1, 3});
  const auto two = b.calls("aten::chunk", "",
                           {b.call("aten::linear", "", {y, b.parameter("fused.weight", {12, 64})}), 2, 1});
  y = b.call("aten::mul", "Tensor", {two[0], two[1]});
  return b.finish(b.call("aten::linear", "", {y, b.parameter("out.weight", {2, 6})}));
}

/// linear(3→8) → linear(8→2).
Network one_hidden_layer() {
  NetworkBuilder b(10);
  const auto x = b.input("x", {2, 3});
  const auto hidden = b.call("aten::linear", "", {x, b.parameter("hidden.weight", {8, 3})});
  return b.finish(b.call("aten::linear", "", {hidden, b.parameter("out.weight", {2, 8})}));
}

at::Tensor state_named(const Network& network, const std::string& name) {
  return network.state[network.find_state(name)].tensor;
}

std::vector<std::string> members_text(const Group& group) {
  std::vector<std::string> lines;
  for (const auto& member : group.members)
    lines.push_back(fmt::format("{}[{}] {} {} {} {} {}", member.tensor, member.axis,
                                member.role == MemberRole::produce ? "produce" : "consume", member.offset,
                                member.outer, member.outer_stride, member.inner));
  return lines;
}

/// Half of every group, at least two channels, so that each stays visible to the analysis.
std::map<GroupId, GroupMaps> halves(const AnalysedNetwork& source) {
  std::map<GroupId, GroupMaps> maps;
  for (const auto id : source.groups.select({})) {
    const int64_t width = source.groups.groups[id].width;
    maps.emplace(id, first_channels(width, std::max(width / 2, std::min<int64_t>(2, width))));
  }
  return maps;
}

/// The members of every group, in no order; groups of one channel are invisible to the analysis.
std::multiset<std::string> members_of_groups(const Groups& groups) {
  std::multiset<std::string> texts;
  for (const auto& group : groups.groups)
    if (group.width > 1 && !group.pinned)
      texts.insert(fmt::format("{} {}", group.width, fmt::join(members_text(group), "; ")));
  return texts;
}

TEST(Resized, GroupsAreThoseThatAnalysisFinds) {
  const at::NoGradGuard no_grad;
  const auto expect_found = [](const Network& network, const std::string& name) {
    const auto source = analyse(network);
    const auto smaller = resample_with_groups(source, halves(source));
    const auto again = analyse(smaller.network);
    EXPECT_EQ(members_of_groups(smaller.groups), members_of_groups(again.groups)) << name;
    for (const auto& verification : verify_groups(smaller, {}))
      EXPECT_TRUE(verification.ok()) << name << ", " << verification.name << ": " << verification.failure;
  };
  expect_found(branched(), "branched");
  for (const auto& example : test::rule_examples()) expect_found(example.make(), example.name);
}

TEST(Pruner, CutsGroupByGroupAsAllAtOnce) {
  const auto source = analyse(branched());
  Pruner one_by_one(source, {.importance = find_importance("l1")});
  for (const auto id : source.groups.select({})) one_by_one(source.groups.groups[id], 0.5);
  Pruner together(source, {.importance = find_importance("l1"), .widths = {.keep = 0.5}});
  const auto& network = together.prune(together.plan());
  const auto inputs = random_inputs(source.network, 1);
  EXPECT_TRUE(
      at::equal(one_by_one.prune().forward(inputs)[0].toTensor(), network.forward(inputs)[0].toTensor()));
  EXPECT_EQ(state_named(network, "mix.weight").sizes(), (std::vector<int64_t>{2, 7, 3, 3}));
  EXPECT_EQ(state_named(network, "fused.weight").sizes(), (std::vector<int64_t>{6, 32}));
  EXPECT_EQ(state_named(source.network, "mix.weight").size(0), 4);  // the source is untouched
}

TEST(Pruner, ChoosesInEachStepByTheWeightsOfThatStep) {
  Pruner pruner(analyse(one_hidden_layer()), {.importance = find_importance("l1"), .widths = {.keep = 0.25}});
  const auto set_norms = [&](const std::vector<double>& norms) {  // what training would do
    state_named(pruner.network(), "hidden.weight").copy_(at::tensor(norms, at::kDouble).unsqueeze(1));
  };
  const GroupId id = pruner.present().groups.find("hidden");
  set_norms({1, 8, 2, 7, 3, 6, 4, 5});
  auto plan = pruner.plan(1, 3);
  EXPECT_EQ(plan.kept.at(id), (std::vector<int64_t>{1, 3, 4, 5, 6, 7}));
  pruner.prune(plan);
  set_norms({1, 1, 9, 1, 9, 9});
  state_named(pruner.network(), "hidden.weight")[0].fill_(8);
  pruner.prune(pruner.plan(2, 3));
  EXPECT_EQ(state_named(pruner.network(), "hidden.weight").select(1, 0).sum().item<double>(), 8 + 3 * 9);
  pruner.prune(pruner.plan(3, 3));
  EXPECT_EQ(pruner.present().groups.groups[id].width, 2);
  EXPECT_EQ(state_named(pruner.network(), "out.weight").size(1), 2);
  EXPECT_THROW(pruner.plan(0, 3), std::invalid_argument);
  EXPECT_THROW(pruner.plan(4, 3), std::invalid_argument);
}

TEST(Pruner, ReachesTheSameWidthsInManyStepsAsInOne) {
  for (const auto scope : {PruningScope::uniform, PruningScope::global, PruningScope::isomorphic}) {
    const PrunerOptions options{
        .widths = {.keep = 0.4, .widths = {{"mix", 3}}, .scope = scope, .limits = {.min_width = 2}}};
    Pruner in_one(analyse(branched()), options), in_many(analyse(branched()), options);
    in_one.prune(in_one.plan());
    for (int64_t step = 1; step <= 5; ++step) in_many.prune(in_many.plan(step, 5));
    int64_t one = 0, many = 0;
    for (const auto id : in_one.present().groups.select({})) {
      one += in_one.present().groups.groups[id].width;
      many += in_many.present().groups.groups[id].width;
    }
    EXPECT_EQ(one, many);
    const auto& groups = in_many.present().groups;
    EXPECT_EQ(groups.groups[groups.find("mix")].width, 3);
    in_many.network().validate();
  }
}

/// The sizes of the fused projection and of the one behind attention.
std::vector<int64_t> projections(const Network& network) {
  auto sizes = state_named(network, "qkv.weight").sizes().vec();
  for (const auto size : state_named(network, "out.weight").sizes()) sizes.push_back(size);
  return sizes;
}

TEST(Pruner, KeepsAFractionOfEveryAxisAndNotItsSquare) {
  const auto source = analyse(test::attention_network());
  for (const int64_t steps : {1, 3}) {  // after the first of three the heads are not as wide as they were
    Pruner pruner(source, {.widths = {.keep = 0.5}});
    for (int64_t step = 1; step <= steps; ++step) pruner.prune(pruner.plan(step, steps));
    EXPECT_EQ(projections(pruner.network()), (std::vector<int64_t>{48, 12, 12, 16})) << steps;
  }
  Pruner one_by_one(source);
  for (const auto id : fraction_groups(source)) one_by_one(source.groups.groups[id], 0.5);
  EXPECT_EQ(projections(one_by_one.prune()), (std::vector<int64_t>{48, 12, 12, 16}));
}

TEST(Pruner, CutsEveryFactorThatIsNamed) {
  const auto source = analyse(test::attention_network());
  std::vector<std::pair<std::string, double>> all;
  for (const auto id : source.groups.select({})) all.emplace_back(source.groups.groups[id].name, 0.5);
  for (const PruneOptions& named :
       {PruneOptions{.keep = 0.5, .groups = {"*"}}, PruneOptions{.keep_of = all}}) {
    Pruner pruner(source, {.widths = named});
    EXPECT_EQ(projections(pruner.prune(pruner.plan())), (std::vector<int64_t>{3 * 2 * 4, 12, 12, 2 * 4}));
  }
}

TEST(Pruner, TakesTrainedWeightsOfTheSameNetworkOnly) {
  Pruner pruner(analyse(one_hidden_layer()), {.importance = find_importance("l1")});
  Network trained = pruner.network().clone();
  state_named(trained, "hidden.weight").zero_().select(0, 5).fill_(1);
  pruner.update(trained);
  EXPECT_EQ(pruner("hidden", 0.125), std::vector<int64_t>{5});
  pruner.prune();
  EXPECT_THROW(pruner.update(trained), std::invalid_argument);
}

TEST(Pruner, DoesNotReturnTheUnprunedNetworkWhereNothingIsChosen) {
  Pruner pruner(analyse(one_hidden_layer()), {.widths = {.keep = 0.5}});
  EXPECT_THROW(pruner.prune(), std::invalid_argument);  // the plan of the options must be asked for
  EXPECT_EQ(state_named(pruner.prune(pruner.plan()), "hidden.weight").size(0), 4);
  EXPECT_THROW(pruner.prune(), std::invalid_argument);
  pruner("hidden", 0.25);  // of the source's width
  EXPECT_EQ(state_named(pruner.prune(), "hidden.weight").size(0), 2);
  EXPECT_THROW(pruner.prune(), std::invalid_argument);  // what was chosen is cut
}

TEST(Pruner, SharesItsSourceAndLeavesItAsItIs) {
  const auto source = std::make_shared<const AnalysedNetwork>(analyse(one_hidden_layer()));
  Pruner pruner(source, {.importance = find_importance("l1")});
  EXPECT_EQ(&pruner.present(), source.get());
  Network trained = source->network.clone();
  state_named(trained, "hidden.weight").zero_();
  pruner.update(trained);
  EXPECT_GT(state_named(source->network, "hidden.weight").abs().sum().item<double>(), 0);
  pruner("hidden", 0.5);
  pruner.prune();
  EXPECT_EQ(source->groups.groups[source->groups.find("hidden")].width, 8);
  EXPECT_THROW(Pruner{std::shared_ptr<const AnalysedNetwork>()}, std::invalid_argument);
}

TEST(Pruner, SaysWhatItCouldNotCut) {
  Pruner pruner(analyse(one_hidden_layer()));
  pruner("hidden", 0.01);
  pruner.prune();
  EXPECT_THAT(
      pruner.notes(),
      testing::ElementsAre("Group 'hidden': keeping 0.01 of 8 channels would leave none; it keeps 1."));
  EXPECT_THROW(pruner("out", 0.5), std::invalid_argument);  // pinned
  EXPECT_THROW(pruner("hiden", 0.5), std::invalid_argument);
  EXPECT_THROW(pruner("hidden", 1.5), std::invalid_argument);
}

torch::nn::Sequential small_sequential() {
  return torch::nn::Sequential(torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 8, 3)), torch::nn::ReLU(),
                               torch::nn::Conv2d(torch::nn::Conv2dOptions(8, 6, 3)), torch::nn::Flatten(),
                               torch::nn::Linear(6 * 4, 5));
}

TEST(Tracer, BuildsTheGroupsOfAModuleForThePruner) {
  const at::NoGradGuard no_grad;
  auto module = small_sequential();
  const auto example = at::randn({2, 3, 6, 6});
  const Tracer tracer(module, example);
  const auto groups = tracer.build_groups();
  ASSERT_EQ(groups.size(), 2U);
  Pruner pruner(tracer.source(), {.importance = find_importance("l1")});
  for (const auto& group : groups) pruner(group, 0.5);
  const Network pruned = pruner.prune();

  // The same by hand: the rows with the greatest sums of magnitudes.
  const auto parameters = module->named_parameters();
  const auto best = [&](const char* name) {
    const auto norms = parameters[name].abs().sum({1, 2, 3});
    return std::get<0>(std::get<1>(norms.topk(norms.size(0) / 2)).sort());
  };
  const auto first = best("0.weight"), second = best("2.weight");
  auto x = at::relu(at::conv2d(example, parameters["0.weight"].index_select(0, first),
                               parameters["0.bias"].index_select(0, first)));
  x = at::conv2d(x, parameters["2.weight"].index_select(0, second).index_select(1, first),
                 parameters["2.bias"].index_select(0, second));
  const auto read = parameters["4.weight"].view({5, 6, 4}).index_select(1, second).flatten(1);
  constexpr double kSinglePrecision = 1e-5;
  EXPECT_LT((pruned.forward(example) - at::linear(x.flatten(1), read, parameters["4.bias"]))
                .abs()
                .max()
                .item<double>(),
            kSinglePrecision);
}

TEST(Tracer, TakesModulesHoldersAndAnyModules) {
  const auto example = at::randn({2, 3, 6, 6});
  auto holder = small_sequential();
  const auto expected = Tracer(holder, example).build_groups();
  torch::nn::SequentialImpl& module = *holder;
  std::shared_ptr<torch::nn::SequentialImpl> pointer = holder.ptr();
  torch::nn::AnyModule any{torch::nn::Linear(3, 4)};
  EXPECT_EQ(Tracer(module, example).build_groups().size(), expected.size());
  EXPECT_EQ(Tracer(pointer, example).build_groups().size(), expected.size());
  EXPECT_TRUE(Tracer(any, at::ones({2, 3})).build_groups().empty());  // its axes are input's and output's
  EXPECT_EQ(Tracer(any, at::ones({2, 3})).source().groups.groups.size(), 2U);
}

}  // namespace
}  // namespace inn
