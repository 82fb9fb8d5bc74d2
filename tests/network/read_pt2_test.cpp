#include <gtest/gtest.h>

#include "inn/network/files.h"
#include "network/archives.h"

namespace inn {
namespace {

TEST(ReadPt2, GivesThePythonOutputs) {
  for_each_archive([](const std::string& name) {
    const auto network = read_pt2(archive_path(name));
    for (const auto& example : examples_of(name))
      expect_equal_outputs(network.clone().forward(example.inputs), example.outputs);
  });
}

TEST(ReadPt2, KeepsExtraFiles) {
  for_each_archive(
      [](const std::string& name) { EXPECT_EQ(read_pt2(archive_path(name)).extra.at("note.txt"), name); });
}

TEST(ReadPt2, KnowsTheSizesThatTheExampleHas) {
  for_each_archive([](const std::string& name) {
    const auto network = read_pt2(archive_path(name)).clone();
    Network::ForwardOptions options;
    options.observe = [&](ValueId id, const at::Tensor& tensor) {
      const auto& value = network.values[id];
      EXPECT_EQ(tensor.sizes(), at::IntArrayRef(value.sizes)) << value.name;
      EXPECT_EQ(tensor.scalar_type(), value.dtype) << value.name;
      EXPECT_EQ(value.formulas.size(), value.sizes.size()) << value.name;
    };
    network.forward(examples_of(name)[0].inputs, network.tensors(), options);
  });
}

class ReadPt2Named : public testing::Test {
 protected:
  void SetUp() override {
    if (archive_names().empty()) GTEST_SKIP() << "INN_TEST_ARCHIVES has no archives: run export_networks.py";
  }
};

TEST_F(ReadPt2Named, TiesTensorsAndKeepsUnusedOnes) {
  const auto network = read_pt2(archive_path("Tied"));
  EXPECT_EQ(network.find_state("first.weight"), network.find_state("second.weight"));
  EXPECT_NE(network.find_state("first.bias"), network.find_state("second.bias"));
  EXPECT_TRUE(network.state[network.find_state("unused")].tensor.requires_grad());
  EXPECT_FALSE(network.state[network.find_state("fixed")].tensor.requires_grad());
}

TEST_F(ReadPt2Named, KnowsModulesRangesAndKindsOfState) {
  const auto dynamic = read_pt2(archive_path("ConvDynamic"));
  const auto convolution = std::find_if(dynamic.calls.begin(), dynamic.calls.end(),
                                        [](const Call& call) { return call.op == "aten::conv2d"; });
  ASSERT_NE(convolution, dynamic.calls.end());
  EXPECT_EQ(convolution->module, "conv");
  EXPECT_EQ(convolution->module_type, "torch.nn.modules.conv.Conv2d");
  ASSERT_EQ(dynamic.ranges.size(), 3u);
  for (const auto& [symbol, range] : dynamic.ranges)
    EXPECT_TRUE(range.maximum == 512 || range.maximum == 64) << symbol;
  const auto constants = read_pt2(archive_path("Constants"));
  EXPECT_EQ(constants.state[constants.find_state("sliced")].kind, StateEntry::Kind::buffer);
  EXPECT_EQ(constants.state[constants.find_state("window")].kind, StateEntry::Kind::transient_buffer);
  EXPECT_EQ(constants.state.back().kind, StateEntry::Kind::constant);
  EXPECT_TRUE(
      at::equal(constants.state[constants.find_state("window")].tensor, at::arange(2, 6, at::kFloat)));
}

TEST_F(ReadPt2Named, RunsInTrainingModeAndInFloat64) {
  auto network = read_pt2(archive_path("ConvDynamic"));
  const auto x = examples_of("ConvDynamic")[0].inputs[0].toTensor();
  const auto mean = network.state[network.find_state("bn.running_mean")].tensor.clone();
  network.set_training(true);
  network.forward(x).sum().backward();
  EXPECT_TRUE(network.state[network.find_state("conv.weight")].tensor.grad().defined());
  EXPECT_FALSE(at::equal(network.state[network.find_state("bn.running_mean")].tensor, mean));
  network = read_pt2(archive_path("ConvDynamic"));
  const auto expected = network.forward(x);
  network.to(at::kDouble);
  const auto precise = network.forward(x.to(at::kDouble));
  EXPECT_EQ(precise.scalar_type(), at::kDouble);
  constexpr double kFloat32Rounding = 1e-4;
  EXPECT_TRUE(at::allclose(precise, expected.to(at::kDouble), kFloat32Rounding, kFloat32Rounding));
  auto recurrent = read_pt2(archive_path("Recurrent"));
  recurrent.to(at::kDouble);
  EXPECT_EQ(recurrent.forward(std::vector<c10::IValue>{at::randn({7, 5, 4}, at::kDouble)})[0]
                .toTensor()
                .scalar_type(),
            at::kDouble);
}

TEST_F(ReadPt2Named, RemembersConstantArguments) {
  const auto network = read_pt2(archive_path("Signature"));
  ASSERT_EQ(network.inputs.size(), 2u);
  ASSERT_EQ(network.signature.constants.size(), 2u);
  EXPECT_TRUE(network.signature.constants[0].value.isNone());
  EXPECT_EQ(network.signature.constants[1].value.toInt(), 3);
  EXPECT_EQ(network.signature.constants[1].position, 2u);
}

}  // namespace
}  // namespace inn
