#include "inn/model/integral_model.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "attention_network.h"
#include "inn/dimension/fraction_groups.h"
#include "inn/model/batch_norm.h"
#include "inn/network/files.h"
#include "model/small_convolutional.h"
#include "network_builder.h"
#include "temporary_folder.h"

namespace inn {
namespace {

using test::NetworkBuilder;

constexpr double kFiniteDifference = 1e-6;  // central differences with step 1e-6 in float64

TEST(IntegralModel, EqualsItsNetworkAtTheSourceWidth) {
  const Network network = small_convolutional();
  for (const auto* order : {"path", "none"}) {
    auto model = convert(network, {.order = order});
    model->eval();
    EXPECT_LT(difference(model->forward(input()), network.forward(input())), kRounding) << order;
  }
}

TEST(IntegralModel, WithoutOrderingKeepsEveryBitAtTheSourceWidth) {
  const Network network = small_convolutional();
  auto model = convert(network, {.order = "none"});
  model->eval();
  model->resize(0.5);
  model->restore();
  EXPECT_TRUE(at::equal(model->forward(input()), network.forward(input())));
}

/// A nested grid picks channels: those of a width are the channels of the source at its points.
TEST(IntegralModel, OnNestedGridsHasChannelsOfTheSource) {
  const Network network = small_convolutional();
  auto model = convert(network, {.grid = "nested", .order = "none"});
  model->resize(0.5);
  const auto of = [](const Network& at, const char* name) { return at.state[at.find_state(name)].tensor; };
  const Network half = model->discretize();
  // 4 of 8 are 0, 7, and the middles 3, 5; 3 of 6 are 0, 5, 2.
  const auto outer = at::tensor({0, 3, 5, 7}), inner = at::tensor({0, 2, 5});
  EXPECT_TRUE(at::equal(of(half, "conv1.weight"), of(network, "conv1.weight").index_select(0, outer)));
  const auto expected = of(network, "conv2.weight").index_select(0, inner).index_select(1, outer) * 2;
  EXPECT_LT(difference(of(half, "conv2.weight"), expected), kRounding);
}

/// Ordered by nodes, a width has the channels that come first in the ranking, as pruning keeps them.
TEST(IntegralModel, OrderedByNodesHasTheFirstOfTheRankingAtEveryWidth) {
  const Network network = small_convolutional();
  const std::vector<int64_t> ranked{5, 0, 7, 2, 1, 6, 3, 4};
  auto model = convert(network, {.quadrature = "rectangle",
                                 .order = "nodes",
                                 .ranking = {{"conv1", ranked}, {"conv2", {0, 5, 1, 4, 2, 3}}}});
  model->eval();
  EXPECT_LT(difference(model->forward(input()), network.forward(input())), kRounding);
  const auto sorted = [](at::Tensor rows) {
    return std::get<0>(rows.flatten(1).sum(1).sort());  // which rows there are, whatever their order
  };
  const auto of = [](const Network& at, const char* name) { return at.state[at.find_state(name)].tensor; };
  for (int64_t width = 1; width <= 8; ++width) {
    model->group("conv1").resize(width);
    const auto kept = at::tensor(std::vector<int64_t>(ranked.begin(), ranked.begin() + width));
    EXPECT_TRUE(at::equal(sorted(of(model->discretize(), "conv1.weight")),
                          sorted(of(network, "conv1.weight").index_select(0, kept))))
        << width;
  }
}

TEST(IntegralModel, OrderedByNodesNeedsARankingOfEachGroupAndNestedGrids) {
  const auto refused = [](const ConvertOptions& options, const char* why) {
    try {
      convert(small_convolutional(), options);
      ADD_FAILURE() << "was converted, though " << why;
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
    }
  };
  const std::vector<int64_t> eight{0, 1, 2, 3, 4, 5, 6, 7}, six{0, 1, 2, 3, 4, 5};
  refused({.order = "nodes"}, "requires a ranking of the channels");
  refused({.grid = "uniform", .order = "nodes", .ranking = {{"conv1", eight}, {"conv2", six}}}, "'nested'");
  refused({.order = "nodes", .ranking = {{"conv1", eight}}},
          "Group 'conv2': order 'nodes' requires a ranking");
  refused({.order = "nodes", .ranking = {{"conv1", six}, {"conv2", six}}}, "each of its 8 channels once");
  refused({.order = "nodes", .ranking = {{"conv9", eight}}}, "conv9");
  refused({.order = "path", .ranking = {{"conv1", eight}}},
          "a ranking of the channels requires order 'nodes'");
}

TEST(IntegralModel, KeepsItsFamilyOfGridsInItsFile) {
  const TemporaryFolder folder;
  const auto path = folder / "model.pt2";
  for (const auto* family : {"uniform", "nested"}) {
    auto model = convert(small_convolutional(), {.grid = family});
    model->resize(0.5);
    save_integral(*model, path);
    auto read = load_integral(path);
    for (size_t g = 0; g < model->groups().size(); ++g)
      EXPECT_TRUE(at::equal(model->groups()[g].grid().points(), read->groups()[g].grid().points())) << family;
    model->resize(0.7);
    read->resize(0.7);
    for (size_t g = 0; g < model->groups().size(); ++g)
      EXPECT_TRUE(at::equal(model->groups()[g].grid().points(), read->groups()[g].grid().points())) << family;
  }
}

TEST(IntegralModel, HasTheRuleOfItsGridsUnlessAnotherIsNamed) {
  const auto rule_of = [](const ConvertOptions& options) {
    return convert(small_convolutional(), options)->groups()[0].quadrature();
  };
  EXPECT_EQ(rule_of({}), "rectangle");
  EXPECT_EQ(rule_of({.grid = "uniform"}), "trapezoid");
  EXPECT_EQ(rule_of({.quadrature = "trapezoid"}), "trapezoid");
  EXPECT_EQ(rule_of({.quadrature = "bayesian", .grid = "uniform"}), "bayesian");
}

TEST(IntegralModel, RunsAndDiscretizesAtAnyWidth) {
  auto model = convert(small_convolutional());
  model->eval();
  for (const double fraction : {0.1, 0.25, 0.5, 0.75, 2.0}) {
    model->resize(fraction);
    const Network plain = model->discretize();
    plain.validate();
    EXPECT_EQ(model->group("conv1").width(), fraction_width(fraction, 8));
    EXPECT_EQ(plain.state[plain.find_state("conv1.weight")].tensor.size(0), fraction_width(fraction, 8));
    EXPECT_LT(difference(model->forward(input()), plain.forward(input())), kRounding);
  }
}

TEST(IntegralModel, RepeatedResizingStartsFromTheSource) {
  auto model = convert(small_convolutional());
  model->eval();
  model->resize(0.5);
  const auto once = model->forward(input());
  model->resize(0.25);
  model->resize(1.0);
  model->resize(0.5);
  EXPECT_TRUE(at::equal(model->forward(input()), once));
}

TEST(IntegralModel, EvaluationFollowsEveryChangeOfWidth) {
  auto model = convert(small_convolutional());
  model->eval();
  at::NoGradGuard no_grad;
  for (const double fraction : {0.5, 0.25, 0.75, 0.4, 1.0, 0.25}) {
    model->resize(0.9);  // a grid that is never run
    model->resize(fraction);
    EXPECT_LT(difference(model->forward(input()), model->discretize().forward(input())), kRounding)
        << fraction;
    model->resize(0.6);
    model->resize(fraction / 2);
    EXPECT_LT(difference(model->forward(input()), model->discretize().forward(input())), kRounding)
        << fraction;
  }
}

TEST(IntegralModel, DimsNameGroupsByTensorAndAxis) {
  auto model = convert(small_convolutional(), {.dims = {{"conv2.weight", {1}}}});
  ASSERT_EQ(model->groups().size(), 1U);
  EXPECT_EQ(model->groups()[0].name(), "conv1");
  EXPECT_THROW(convert(small_convolutional(), {.dims = {{"conv1.weight", {1}}}}),
               std::invalid_argument);  // the input's channels
  EXPECT_THROW(convert(small_convolutional(), {.dims = {{"conv1.weight", {2}}}}),
               std::invalid_argument);  // kernel taps
  EXPECT_THROW(convert(small_convolutional(), {.dims = {{"conv1.weight", {4}}}}), std::invalid_argument);
  EXPECT_THROW(convert(small_convolutional(), {.dims = {{"conv9.weight", {0}}}}), std::invalid_argument);
}

TEST(IntegralModel, NamesTheNearestGroups) {
  auto model = convert(small_convolutional());
  try {
    model->group("conv3");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("Did you mean 'conv1'"), std::string::npos) << error.what();
  }
  EXPECT_THROW(model->group("conv1").resize(0), std::invalid_argument);
  EXPECT_THROW(model->group("conv1").resize(65), std::invalid_argument);
  EXPECT_EQ(model->group("conv1").width(), 8);
}

/// Compares the gradient of a scalar of the model's output in `tensor` with central differences.
void expect_gradient(IntegralModel& model, at::Tensor tensor, const std::string& name) {
  const auto loss = [&] { return model->forward(input()).square().sum(); };
  model->zero_grad();
  loss().backward();
  const auto gradient = tensor.grad().clone();
  constexpr double kStep = 1e-6;
  at::NoGradGuard no_grad;
  auto flat = tensor.detach().view({-1});
  const int64_t stride = std::max<int64_t>(1, flat.size(0) / 7);
  for (int64_t i = 0; i < flat.size(0); i += stride) {
    const double value = flat[i].item<double>();
    flat[i] = value + kStep;
    const double above = loss().item<double>();
    flat[i] = value - kStep;
    const double below = loss().item<double>();
    flat[i] = value;
    const double numeric = (above - below) / (2 * kStep), analytic = gradient.view({-1})[i].item<double>();
    EXPECT_NEAR(analytic, numeric, kFiniteDifference * std::max(1.0, std::abs(numeric)) * 10)
        << name << "[" << i << "]";
  }
}

TEST(IntegralModel, GradientsOfControlPointsAreThoseOfFiniteDifferences) {
  for (const auto* kernel : {"linear", "cubic", "bspline"}) {
    auto model = convert(small_convolutional(), {.kernel = kernel});
    model->eval();
    model->resize(0.6);
    for (auto& parameter : model->named_parameters())
      expect_gradient(model, parameter.value(), parameter.key());
  }
}

TEST(IntegralModel, GradientsOfGridsAreThoseOfFiniteDifferences) {
  auto model = convert(small_convolutional());
  model->eval();
  model->resize(0.6);
  model->tune_grids();
  int64_t grids = 0;
  for (auto& parameter : model->named_parameters()) {
    if (!parameter.value().requires_grad()) continue;
    // Off the control points, where the kernel has a derivative.
    {
      at::NoGradGuard no_grad;
      parameter.value().add_(at::linspace(0, 0.3, parameter.value().size(0), at::kDouble));
    }
    expect_gradient(model, parameter.value(), parameter.key());
    ++grids;
  }
  EXPECT_EQ(grids, 2);
}

/// Every rule that takes any points, and rules with parameters.
std::vector<std::string> rules_of_models() {
  std::vector<std::string> names{"bayesian:brownian", "bayesian:matern32,0.3", "herding:rbf,0.2"};
  for (const auto& rule : quadratures())
    if (rule.points == Quadrature::Points::any) names.push_back(rule.name);
  return names;
}

TEST(IntegralModel, TakesEveryRuleOfAnyPointsAndKeepsItInItsFile) {
  const TemporaryFolder folder;
  const auto path = folder / "model.pt2";
  const Network network = small_convolutional();
  for (const auto& rule : rules_of_models()) {
    SCOPED_TRACE(rule);
    auto model = convert(network, {.quadrature = rule, .order = "none"});
    model->eval();
    EXPECT_TRUE(at::equal(model->forward(input()), network.forward(input())));
    // A grid of chosen nodes for one group, points that learn for the other.
    model->set_grid("conv1", std::make_shared<FixedGrid>(quadrature_nodes(find_quadrature(rule), 5), rule));
    auto learning = std::make_shared<TrainableGrid>(4);
    {
      at::NoGradGuard no_grad;
      learning->parameters()[0].add_(at::linspace(0, 0.4, 3, at::kDouble));
    }
    model->set_grid("conv2", learning);
    save_integral(*model, path);
    auto loaded = load_integral(path);
    EXPECT_EQ(loaded->group("conv1").quadrature(), rule);
    EXPECT_EQ(loaded->group("conv1").grid().kind(), rule);
    EXPECT_LT(difference(loaded->forward(input()), model->forward(input())), kRounding);
    EXPECT_LT(difference(read_pt2(path).forward(input()), model->forward(input())), kRounding);
  }
}

TEST(IntegralModel, GradientsReachGridsThroughBayesianWeights) {
  auto model = convert(small_convolutional(), {.quadrature = "bayesian:matern32,0.3"});
  model->eval();
  model->resize(0.6);
  model->tune_grids();
  for (auto& parameter : model->named_parameters()) {
    if (!parameter.value().requires_grad()) continue;
    {
      at::NoGradGuard no_grad;
      parameter.value().add_(at::linspace(0, 0.3, parameter.value().size(0), at::kDouble));
    }
    expect_gradient(model, parameter.value(), parameter.key());
  }
}

TEST(IntegralModel, RefusesARuleWhoseWeightsItCantDivideBy) {
  try {
    convert(small_convolutional(), {.quadrature = "bayesian:rbf,2"});
  } catch (const std::invalid_argument& error) {
    FAIL() << error.what();
  }
  try {
    IntegralGroup(GroupId{0}, "wide", 16, {.quadrature = "bayesian:rbf,0.2"});
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(
        std::string(error.what()).find("'bayesian:rbf,0.2': an integral model divides by its weights for 16"),
        std::string::npos)
        << error.what();
  }
}

TEST(IntegralModel, SavedAndLoadedIsTheSame) {
  const TemporaryFolder folder;
  const auto path = folder / "model.pt2";
  auto model = convert(small_convolutional(), {.kernel = "bspline"});
  model->eval();
  for (const double fraction : {1.0, 0.5}) {
    model->resize(fraction);
    save_integral(*model, path);
    auto loaded = load_integral(path);
    EXPECT_EQ(loaded->group("conv1").width(), fraction_width(fraction, 8));
    EXPECT_LT(difference(loaded->forward(input()), model->forward(input())), kRounding);
    loaded->resize(0.75);
    auto other = model->clone_model();
    other->eval();
    other->resize(0.75);
    EXPECT_LT(difference(loaded->forward(input()), other->forward(input())), kRounding);
    // Read as a plain network it has the present width.
    const Network plain = read_pt2(path);
    EXPECT_EQ(plain.state[plain.find_state("conv1.weight")].tensor.size(0), fraction_width(fraction, 8));
  }
}

TEST(IntegralModel, AClonedModelSharesNothing) {
  auto model = convert(small_convolutional());
  model->eval();
  auto copy = model->clone_model();
  const auto before = model->forward(input());
  {
    at::NoGradGuard no_grad;
    for (auto& parameter : copy->parameters()) parameter.zero_();
  }
  copy->resize(0.5);
  EXPECT_TRUE(at::equal(model->forward(input()), before));
}

TEST(IntegralModel, RunsInFloat32AfterTo) {
  auto model = convert(small_convolutional());
  model->eval();
  const auto exact = model->forward(input());
  model->to(at::kFloat);
  EXPECT_LT(difference(model->forward(input().to(at::kFloat)).to(at::kDouble), exact),
            1e-3 * exact.abs().max().item<double>());
}

/// Scores masked by a boolean buffer, rows chosen by an integer one, a count that training advances.
Network with_masks() {
  NetworkBuilder b(4);
  const auto buffer = [&](const char* name, const at::Tensor& tensor) {
    return b.state(name, tensor, StateEntry::Kind::buffer);
  };
  const auto x = b.call("aten::linear", "", {b.input("x", {2, 1, 4, 6}), b.parameter("fc.weight", {8, 6})});
  const auto mask = buffer("mask", at::ones({4, 4}, at::kBool).tril());
  auto y = b.call("aten::scaled_dot_product_attention", "", {x, x, x, mask});
  y = b.call("aten::index_select", "", {y, 2, buffer("order", at::tensor({3, 1, 0, 2}).to(at::kLong))});
  y = b.call("aten::add", "Tensor", {y, buffer("count", at::tensor(3).to(at::kLong))});
  return b.finish(b.call("aten::linear", "", {y, b.parameter("out.weight", {2, 8})}));
}

TEST(NetworkModule, ConvertsNoMaskNoIndexAndNoCount) {
  const Network source = with_masks();
  const auto x = random_inputs(source, 3).at(0).toTensor();
  const auto expected = source.forward(x);
  constexpr double kHalfRounding = 3e-2, kFloatRounding = 1e-5;
  for (const auto& [dtype, tolerance] :
       {std::pair{at::kFloat, kFloatRounding}, std::pair{at::kBFloat16, kHalfRounding},
        std::pair{at::kHalf, kHalfRounding}}) {
    NetworkModule plain(source.clone());
    IntegralModel integral = convert(source);
    for (NetworkModuleImpl* module : {plain.get(), static_cast<NetworkModuleImpl*>(integral.get())}) {
      module->eval();
      module->to(torch::Device(torch::kCPU), dtype);
      const auto buffers = module->named_buffers();
      EXPECT_EQ(buffers["mask"].scalar_type(), at::kBool);
      EXPECT_EQ(buffers["order"].scalar_type(), at::kLong);
      EXPECT_EQ(buffers["count"].scalar_type(), at::kLong);
      EXPECT_EQ(module->named_parameters()["fc.weight"].scalar_type(), dtype);
      for (const auto& entry : module->network().state)
        EXPECT_TRUE(entry.tensor.is_same(entry.kind == StateEntry::Kind::parameter
                                             ? module->named_parameters()[entry.name]
                                             : buffers[entry.name]));
      const auto y = module->forward(x.to(dtype));
      EXPECT_EQ(y.scalar_type(), dtype);
      EXPECT_LT(difference(y.to(at::kDouble), expected), tolerance * expected.abs().max().item<double>());
    }
  }
}

TEST(NetworkModule, ConvertsGradientsWithTheirParameters) {
  Network network = small_convolutional();
  NetworkModule module(network.clone());
  module->forward(input()).sum().backward();
  const auto before = module->named_parameters()["conv2.weight"].grad().clone();
  module->to(at::kFloat);
  const auto after = module->named_parameters()["conv2.weight"].grad();
  EXPECT_EQ(after.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(after, before.to(at::kFloat)));
}

/// The sizes of the fused projection and of the one behind attention.
std::vector<int64_t> projections(const IntegralModel& model) {
  const Network network = model->discretize();
  std::vector<int64_t> sizes;
  for (const auto* name : {"qkv.weight", "out.weight"})
    for (const auto size : network.state[network.find_state(name)].tensor.sizes()) sizes.push_back(size);
  return sizes;
}

const std::vector<int64_t> kHalfOfEveryAxis{48, 12, 12, 16}, kHalfOfEveryFactor{3 * 2 * 4, 12, 12, 2 * 4};

TEST(IntegralModel, TakesAFractionOfEveryAxisAndNotItsSquare) {
  auto model = convert(test::attention_network());
  ASSERT_EQ(model->groups().size(), 3u);  // channels, heads, channels of each head
  model->resize(0.5);
  EXPECT_EQ(projections(model), kHalfOfEveryAxis);
  EXPECT_EQ(projections(IntegralModel(model->clone_model())), kHalfOfEveryAxis);
  model->restore();
  model->set_distribution(FractionDistribution(Choice{{0.5}}));
  const auto x = random_inputs(test::attention_network(), 1);
  for (const auto sharing : {FractionSharing::shared, FractionSharing::own}) {
    model->set_distribution(FractionDistribution(Choice{{0.5}}), sharing);
    model->train();
    model->run(x);
    EXPECT_EQ(projections(model), kHalfOfEveryAxis);
    model->restore();
  }
  model->set_pass_width(0.5);
  model->run(x);
  EXPECT_EQ(projections(model), kHalfOfEveryAxis);
  // By name every factor has the width that it is given.
  for (auto& group : model->groups()) group.resize(fraction_width(0.5, group.source_width()));
  EXPECT_EQ(projections(model), kHalfOfEveryFactor);
}

TEST(IntegralModel, KeepsInItsFileWhatFollowsFractions) {
  const TemporaryFolder folder;
  const auto path = folder / "model.pt2";
  save_integral(*convert(test::attention_network()), path);
  auto loaded = load_integral(path);
  loaded->resize(0.5);
  EXPECT_EQ(projections(loaded), kHalfOfEveryAxis);
  // A file of a model that was trained with all groups at one fraction does not say it.
  Network older = read_pt2(path);
  auto record = nlohmann::json::parse(older.extra.at("integral.json"));
  for (auto& group : record["groups"]) group.erase("follows_fraction");
  older.extra["integral.json"] = record.dump();
  auto as_trained = load_integral(older);
  as_trained->resize(0.5);
  EXPECT_EQ(projections(as_trained), kHalfOfEveryFactor);
}

TEST(FoldBatchNorm, ChangesNoOutput) {
  const Network network = small_convolutional();
  const Network folded = fold_batch_norm(network);
  EXPECT_EQ(folded.calls.size(), network.calls.size() - 1);
  folded.validate();
  EXPECT_LT(difference(folded.forward(input()), network.forward(input())), kRounding);
}

TEST(ShareTensors, MakesTheModelUseOthersWithoutCopies) {
  const Network source = small_convolutional();
  auto model = convert(source, {.order = "none"});
  model->eval();
  std::vector<at::Tensor> tensors;
  for (const auto& entry : source.state) tensors.push_back(entry.tensor.detach().mul(2));
  model->share_tensors(tensors);
  for (size_t s = 0; s < tensors.size(); ++s) {
    EXPECT_TRUE(model->network().state[s].tensor.is_same(tensors[s]));
    const auto& name = source.state[s].name;
    const auto parameters = model->named_parameters();
    const auto buffers = model->named_buffers();
    const auto* held = parameters.contains(name) ? parameters.find(name) : buffers.find(name);
    ASSERT_NE(held, nullptr) << name;
    EXPECT_EQ(held->data_ptr(), tensors[s].data_ptr()) << name;
  }
  const auto x = at::randn({2, 3, 3, 3}, at::kDouble);
  const auto before = model->forward(x);
  EXPECT_TRUE(before.allclose(source.forward({x}, tensors, {})[0].toTensor()));
  tensors.back() = at::zeros({1, 2, 3}, at::kDouble);
  EXPECT_THROW(model->share_tensors(tensors), std::invalid_argument);
  EXPECT_TRUE(model->forward(x).equal(before));
}

}  // namespace
}  // namespace inn
