#include "inn/zoo/zoo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace inn {
namespace {

/// Sums of some thousand float32 products, in whatever order a machine's kernels take, through up to 56
/// layers.
constexpr double kForwardTolerance = 1e-3;
/// Every width is divided by four, so most of a network's weights by sixteen.
constexpr double kQuarter = 0.25;

struct Published {
  int64_t parameters;
  /// Classes 0 and 9 of PyTorch 2.13's own modules, made after torch.manual_seed(0) and in evaluation mode,
  /// for the two images linspace(-1, 1, 2·C·H·W).
  std::vector<double> outputs;
};

const std::map<std::string, Published> kPublished{
    {"mlp", {669706, {0.123152, 0.00557, 0.112453, 0.016491}}},
    {"lenet", {61706, {-0.037585, 0.111177, -0.050498, 0.112168}}},
    {"small_cnn", {104426, {0.000788, 0.005083, -0.021606, 0.002941}}},
    {"nin", {966986, {0.244575, 0.113108, 0.40673, 0.018964}}},
    {"resnet20", {269722, {-4.709606, 4.229366, -2.260661, 2.091662}}},
    {"resnet32", {464154, {-168.920563, -80.938873, -92.389343, -70.681778}}},
    {"resnet44", {658586, {-208.898239, 515.116089, -84.696213, 267.092712}}},
    {"resnet56", {853018, {-7166.605957, -1861.956787, -22775.484375, -6020.748535}}},
    {"resnet18", {11689512, {0.385272, 0.347801, 0.425291, 0.165886}}},
    {"resnet50", {25557032, {-1.997515, 16.11396, -1.085948, 9.965193}}},
    {"mobilenet_v2", {3504872, {-1.44205e-10, -5.75176e-10, -9.20275e-11, -1.34055e-10}}},
    {"vit", {2693194, {0.249414, -0.887298, -0.351059, 0.062951}}},
};

int64_t count_parameters(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const auto& parameter : module.parameters()) count += parameter.numel();
  return count;
}

class EveryNetwork : public testing::TestWithParam<std::string> {
 protected:
  const ZooEntry& entry = find_zoo_network(GetParam());
  at::Tensor images = at::linspace(-1, 1, 2 * entry.channels * entry.image_size * entry.image_size)
                          .reshape({2, entry.channels, entry.image_size, entry.image_size});
};

TEST_P(EveryNetwork, HasThePublishedCountOfParameters) {
  ASSERT_TRUE(kPublished.contains(entry.name)) << "a new entry needs its published count here";
  const auto module = make_zoo_module(entry.name);
  EXPECT_EQ(count_parameters(*module), kPublished.at(entry.name).parameters);
}

TEST_P(EveryNetwork, ComputesWhatPyTorchDoesFromTheSameSeed) {
  const at::NoGradGuard no_grad;
  const auto outputs = make_zoo_module(entry.name)->forward(images);
  ASSERT_EQ(outputs.sizes(), (std::vector<int64_t>{2, entry.classes}));
  const auto expected = at::tensor(kPublished.at(entry.name).outputs);
  const auto chosen = outputs.index_select(1, at::tensor({0, 9}, at::kLong)).flatten();
  EXPECT_LE((chosen - expected).abs().max().item<double>(),
            kForwardTolerance * expected.abs().max().item<double>())
      << chosen;
}

TEST_P(EveryNetwork, TakesOtherClassesChannelsAndWidths) {
  const at::NoGradGuard no_grad;
  const ZooOptions options{.classes = 7, .channels = 2, .width = kQuarter};
  const auto module = make_zoo_module(entry.name, options);
  const auto outputs = module->forward(at::zeros({3, 2, entry.image_size, entry.image_size}));
  EXPECT_EQ(outputs.sizes(), (std::vector<int64_t>{3, 7}));
  EXPECT_LT(count_parameters(*module), kPublished.at(entry.name).parameters * 2 * kQuarter);
}

TEST_P(EveryNetwork, TracesToANetworkOfTheSameOutputsAndNames) {
  const at::NoGradGuard no_grad;
  const auto module = make_zoo_module(entry.name, {.seed = 4});
  const auto network = make_zoo_network(entry.name, {.seed = 4});
  network.validate();
  std::set<std::string> expected, names;
  for (const auto& parameter : module->named_parameters()) expected.insert(parameter.key());
  for (const auto& state : network.state)
    if (state.kind == StateEntry::Kind::parameter) names.insert(state.name);
  EXPECT_EQ(names, expected);
  EXPECT_TRUE(at::equal(network.forward(images), module->forward(images)));
  const auto one = images.slice(0, 0, 1);
  EXPECT_TRUE(at::allclose(network.forward(one), module->forward(one), kForwardTolerance));
}

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const auto& entry : zoo()) names.push_back(entry.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Zoo, EveryNetwork, testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

TEST(Zoo, NamesTheParametersOfResNet18AsTorchvisionDoes) {
  const auto parameters = make_zoo_module("resnet18")->named_parameters();
  for (const auto* name :
       {"conv1.weight", "bn1.bias", "layer1.0.conv1.weight", "layer2.0.downsample.0.weight",
        "layer2.0.downsample.1.bias", "layer4.1.bn2.weight", "fc.weight", "fc.bias"})
    EXPECT_TRUE(parameters.contains(name)) << name;
  const auto buffers = make_zoo_module("resnet18")->named_buffers();
  EXPECT_TRUE(buffers.contains("layer1.0.bn2.running_mean"));
}

TEST(Zoo, LeavesTorchsGeneratorAsItWas) {
  at::manual_seed(11);
  const auto expected = at::rand({4});
  at::manual_seed(11);
  const auto first = make_zoo_module("lenet", {.seed = 3})->parameters();
  EXPECT_TRUE(at::equal(at::rand({4}), expected));
  const auto again = make_zoo_module("lenet", {.seed = 3})->parameters();
  const auto other = make_zoo_module("lenet", {.seed = 4})->parameters();
  EXPECT_TRUE(at::equal(first[0], again[0]));
  EXPECT_FALSE(at::equal(first[0], other[0]));
}

TEST(Zoo, GivesThePerceptronAnyHiddenWidths) {
  const auto module = make_zoo_module("mlp", {.classes = 3, .channels = 2, .image_size = 4, .hidden = {5}});
  EXPECT_EQ(count_parameters(*module), (2 * 4 * 4 + 1) * 5 + (5 + 1) * 3);
}

template <class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no std::invalid_argument";
}

TEST(Zoo, RefusesWhatItCannotMakeByName) {
  EXPECT_EQ(message_of([] { make_zoo_module("resnet21"); }).find("[zoo] No network is named 'resnet21'."),
            0u);
  EXPECT_THAT(message_of([] { make_zoo_module("resnet21"); }), testing::HasSubstr("'resnet20'"));
  EXPECT_THAT(message_of([] { make_zoo_module("lenet", {.classes = -1}); }),
              testing::HasSubstr("Network 'lenet': classes must be at least 1, or 0 for 10, but got -1."));
  EXPECT_THAT(message_of([] { make_zoo_module("lenet", {.image_size = 8}); }),
              testing::HasSubstr("image_size must be at least 12 but got 8"));
  EXPECT_THAT(message_of([] { make_zoo_module("nin", {.width = 0}); }), testing::HasSubstr("width"));
  EXPECT_THAT(message_of([] { make_zoo_module("nin", {.hidden = {4}}); }), testing::HasSubstr("'mlp' only"));
  EXPECT_THAT(message_of([] { make_zoo_module("mlp", {.hidden = {0}}); }), testing::HasSubstr("at least 1"));
  EXPECT_THAT(message_of([] { register_zoo_network(find_zoo_network("mlp")); }),
              testing::HasSubstr("already in use"));
}

}  // namespace
}  // namespace inn
