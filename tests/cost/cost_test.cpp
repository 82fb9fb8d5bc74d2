#include "inn/cost/cost.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "inn/cost/formula.h"
#include "inn/cost/latency.h"

namespace inn {
namespace {

using testing::HasSubstr;

struct Case {
  std::string op, overload;
  std::vector<std::pair<std::string, Sizes>> tensors;
  std::vector<std::pair<std::string, c10::IValue>> constants;
  std::vector<std::pair<std::string, std::vector<Sizes>>> lists;
  int64_t macs;
};

using Ints = std::vector<int64_t>;

/// Multiply-adds: half of what PyTorch 2.13's FlopCounterMode gives for the same call; where it counts
/// nothing (lstm, mv, dot, addmv, bilinear) the product of the sizes that are summed over and kept.
const std::vector<Case> kCases{
    {"aten::conv1d", "", {{"input", {2, 3, 11}}, {"weight", {5, 3, 4}}}, {{"stride", Ints{2}}}, {}, 480},
    {"aten::conv2d",
     "",
     {{"input", {2, 4, 9, 8}}, {"weight", {6, 2, 3, 3}}, {"bias", {6}}},
     {{"padding", Ints{1, 1}}, {"groups", 2}},
     {},
     15552},
    {"aten::conv2d",
     "padding",
     {{"input", {2, 4, 9, 8}}, {"weight", {6, 2, 3, 3}}},
     {{"padding", "same"}, {"groups", 2}},
     {},
     15552},
    {"aten::_grouped_mm", "", {{"self", {2, 3, 4}}, {"mat2", {2, 4, 8}}}, {}, {}, 192},
    {"aten::conv3d", "", {{"input", {1, 2, 4, 5, 6}}, {"weight", {3, 2, 2, 2, 2}}}, {}, {}, 2880},
    {"aten::convolution",
     "",
     {{"input", {2, 4, 5, 6}}, {"weight", {4, 3, 3, 3}}},
     {{"stride", Ints{2, 2}},
      {"padding", Ints{0, 0}},
      {"dilation", Ints{1, 1}},
      {"transposed", true},
      {"output_padding", Ints{0, 0}},
      {"groups", 1}},
     {},
     6480},
    {"aten::_convolution",
     "",
     {{"input", {2, 4, 5, 6}}, {"weight", {8, 4, 3, 3}}},
     {{"stride", Ints{2, 2}},
      {"padding", Ints{1, 1}},
      {"dilation", Ints{1, 1}},
      {"transposed", false},
      {"output_padding", Ints{0, 0}},
      {"groups", 1},
      {"benchmark", false},
      {"deterministic", false},
      {"cudnn_enabled", false},
      {"allow_tf32", false}},
     {},
     5184},
    {"aten::conv_transpose1d",
     "",
     {{"input", {2, 4, 5}}, {"weight", {4, 3, 3}}},
     {{"stride", Ints{2}}},
     {},
     360},
    {"aten::conv_transpose2d",
     "input",
     {{"input", {2, 4, 5, 6}}, {"weight", {4, 3, 3, 3}}},
     {{"stride", Ints{2, 2}}, {"groups", 2}},
     {},
     6480},
    {"aten::conv_transpose3d",
     "input",
     {{"input", {1, 2, 3, 3, 3}}, {"weight", {2, 3, 2, 2, 2}}},
     {},
     {},
     1296},
    {"aten::linear", "", {{"input", {2, 3, 7}}, {"weight", {5, 7}}, {"bias", {5}}}, {}, {}, 210},
    {"aten::mm", "", {{"self", {3, 4}}, {"mat2", {4, 5}}}, {}, {}, 60},
    {"aten::bmm", "", {{"self", {2, 3, 4}}, {"mat2", {2, 4, 5}}}, {}, {}, 120},
    {"aten::matmul", "", {{"self", {2, 1, 3, 4}}, {"other", {6, 4, 5}}}, {}, {}, 720},
    {"aten::linalg_matmul", "", {{"self", {2, 1, 3, 4}}, {"other", {6, 4, 5}}}, {}, {}, 720},
    {"aten::inner", "", {{"self", {3, 4}}, {"other", {5, 4}}}, {}, {}, 60},
    {"aten::tensordot",
     "",
     {{"self", {2, 3, 4}}, {"other", {4, 5, 3}}},
     {{"dims_self", Ints{1, -1}}, {"dims_other", Ints{2, 0}}},
     {},
     120},
    {"aten::mv", "", {{"self", {3, 4}}, {"vec", {4}}}, {}, {}, 3 * 4},
    {"aten::dot", "", {{"self", {4}}, {"tensor", {4}}}, {}, {}, 4},
    {"aten::vdot", "", {{"self", {4}}, {"other", {4}}}, {}, {}, 4},
    {"aten::addmm", "", {{"self", {5}}, {"mat1", {3, 4}}, {"mat2", {4, 5}}}, {}, {}, 60},
    {"aten::addmv", "", {{"self", {3}}, {"mat", {3, 4}}, {"vec", {4}}}, {}, {}, 3 * 4},
    {"aten::baddbmm", "", {{"self", {2, 3, 5}}, {"batch1", {2, 3, 4}}, {"batch2", {2, 4, 5}}}, {}, {}, 120},
    {"aten::addbmm", "", {{"self", {3, 5}}, {"batch1", {2, 3, 4}}, {"batch2", {2, 4, 5}}}, {}, {}, 120},
    {"aten::bilinear",
     "",
     {{"input1", {2, 3}}, {"input2", {2, 4}}, {"weight", {5, 3, 4}}},
     {},
     {},
     2 * 5 * 3 * 4},
    {"aten::einsum",
     "",
     {},
     {{"equation", "bhqd, bhkd -> bhqk"}},
     {{"tensors", {{2, 3, 7, 4}, {2, 3, 5, 4}}}},
     840},
    {"aten::scaled_dot_product_attention",
     "",
     {{"query", {2, 3, 7, 4}}, {"key", {2, 3, 5, 4}}, {"value", {2, 3, 5, 6}}},
     {},
     {},
     2100},
    {"aten::_scaled_dot_product_attention_math",
     "",
     {{"query", {2, 3, 7, 4}}, {"key", {2, 3, 5, 4}}, {"value", {2, 3, 5, 6}}},
     {},
     {},
     2100},
    {"aten::_scaled_dot_product_flash_attention_for_cpu",
     "",
     {{"query", {2, 3, 7, 4}}, {"key", {2, 3, 5, 4}}, {"value", {2, 3, 5, 4}}},
     {},
     {},
     1680},
    {"aten::lstm",
     "input",
     {{"input", {7, 3, 5}}},
     {{"has_biases", false},
      {"num_layers", 2},
      {"dropout", 0.0},
      {"train", false},
      {"bidirectional", true},
      {"batch_first", false}},
     {{"hx", {{4, 3, 6}, {4, 3, 6}}},
      {"params", {{24, 5}, {24, 6}, {24, 5}, {24, 6}, {24, 12}, {24, 6}, {24, 12}, {24, 6}}}},
     7 * 3 * 2 * (24 * (5 + 6) + 24 * (12 + 6))},
    {"aten::gru",
     "input",
     {{"input", {7, 3, 5}}, {"hx", {1, 3, 6}}},
     {{"has_biases", true},
      {"num_layers", 1},
      {"dropout", 0.0},
      {"train", false},
      {"bidirectional", false},
      {"batch_first", false}},
     {{"params", {{18, 5}, {18, 6}, {18}, {18}}}},
     4158},
    {"aten::rnn_tanh",
     "input",
     {{"input", {7, 3, 5}}, {"hx", {1, 3, 6}}},
     {{"has_biases", false},
      {"num_layers", 1},
      {"dropout", 0.0},
      {"train", false},
      {"bidirectional", false},
      {"batch_first", false}},
     {{"params", {{6, 5}, {6, 6}}}},
     1386},
    {"aten::rnn_relu",
     "input",
     {{"input", {7, 3, 5}}, {"hx", {1, 3, 6}}},
     {{"has_biases", false},
      {"num_layers", 1},
      {"dropout", 0.0},
      {"train", false},
      {"bidirectional", false},
      {"batch_first", false}},
     {{"params", {{6, 5}, {6, 6}}}},
     1386},
    {"aten::lstm_cell",
     "",
     {{"input", {3, 5}}, {"w_ih", {24, 5}}, {"w_hh", {24, 6}}},
     {},
     {{"hx", {{3, 6}, {3, 6}}}},
     792},
    {"aten::gru_cell",
     "",
     {{"input", {3, 5}}, {"hx", {3, 6}}, {"w_ih", {18, 5}}, {"w_hh", {18, 6}}},
     {},
     {},
     594},
    {"aten::rnn_tanh_cell",
     "",
     {{"input", {3, 5}}, {"hx", {3, 6}}, {"w_ih", {6, 5}}, {"w_hh", {6, 6}}},
     {},
     {},
     3 * 6 * 11},
    {"aten::rnn_relu_cell",
     "",
     {{"input", {3, 5}}, {"hx", {3, 6}}, {"w_ih", {6, 5}}, {"w_hh", {6, 6}}},
     {},
     {},
     3 * 6 * 11},
};

/// A network of one call, all of whose tensors are inputs.
Network network_of(const Case& item) {
  Network network;
  const auto add_input = [&](const Sizes& sizes) {
    const auto value = network.add_value({.name = fmt::format("x{}", network.values.size()), .sizes = sizes});
    network.inputs.push_back(value);
    return Argument(ValueRef{value});
  };
  const auto find = [](const auto& list, const std::string& name) {
    return std::find_if(list.begin(), list.end(), [&](const auto& entry) { return entry.first == name; });
  };
  Call call{.op = item.op, .overload = item.overload, .module = "layer"};
  const auto& schema = find_schema(item.op, item.overload);
  for (const auto& argument : schema.arguments()) {
    if (const auto t = find(item.tensors, argument.name()); t != item.tensors.end()) {
      call.arguments.push_back(add_input(t->second));
    } else if (const auto l = find(item.lists, argument.name()); l != item.lists.end()) {
      Argument::List list;
      for (const auto& sizes : l->second) list.push_back(add_input(sizes));
      call.arguments.emplace_back(std::move(list));
    } else if (const auto c = find(item.constants, argument.name()); c != item.constants.end()) {
      call.arguments.emplace_back(c->second);
    } else {
      call.arguments.emplace_back(argument.default_value().value_or(c10::IValue()));
    }
  }
  for (size_t r = 0; r < schema.returns().size(); ++r)
    call.results.push_back({false, {network.add_value({.name = fmt::format("y{}", r)})}});
  network.outputs = {ValueRef{call.results[0].values[0]}};
  network.calls.push_back(std::move(call));
  return network;
}

class EveryFormula : public testing::TestWithParam<Case> {};

TEST_P(EveryFormula, CountsWhatTorchCounts) {
  const auto report = cost_of(network_of(GetParam()), example_inputs(network_of(GetParam())));
  EXPECT_EQ(report.macs, GetParam().macs);
  ASSERT_EQ(report.layers.size(), 1u);
  EXPECT_EQ(report.layers[0].macs, GetParam().macs);
  EXPECT_EQ(report.layers[0].name, "layer");
  EXPECT_EQ("aten::" + report.layers[0].type, GetParam().op);
}

INSTANTIATE_TEST_SUITE_P(Cost, EveryFormula, testing::ValuesIn(kCases), [](const auto& info) {
  return info.param.op.substr(6) + (info.param.overload.empty() ? "" : "_" + info.param.overload);
});

TEST(Cost, HasACaseForEveryFormula) {
  std::set<std::string> formulas, cases;
  for (const auto& formula : cost_formulas()) formulas.insert(formula.op);
  for (const auto& item : kCases) cases.insert(item.op);
  EXPECT_EQ(cases, formulas);
}

TEST(Cost, CountsAnEinsumPairByPair) {
  EXPECT_EQ(einsum_macs("ab,bc,cd->ad", {{3, 4}, {4, 5}, {5, 6}}), 3 * 4 * 5 + 3 * 5 * 6);
  EXPECT_EQ(einsum_macs("...ij,...jk->...ik", {{2, 7, 3, 4}, {7, 4, 5}}), 840);
  EXPECT_EQ(einsum_macs("ij,jk", {{3, 4}, {4, 5}}), 60);
  EXPECT_EQ(einsum_macs("ii->i", {{3, 3}}), 0);
  EXPECT_EQ(einsum_macs("abi,bc->ac", {{2, 3, 7}, {3, 5}}), 2 * 3 * 5);  // i is summed over before
  EXPECT_EQ(einsum_macs("ab,cb->abc", {{2, 3}, {5, 3}}), 0);             // products that nothing adds up
  EXPECT_EQ(einsum_macs("ii,ij->j", {{3, 3}, {3, 5}}), 15);
  EXPECT_THROW(einsum_macs("ij,jk->ik", {{3, 4}}), std::invalid_argument);
  EXPECT_THROW(einsum_macs("ijk->i", {{3, 4}}), std::invalid_argument);
}

/// Two linear layers that share their weight, then a batch norm: everything is counted once.
TEST(Cost, CountsASharedParameterOnceAndNamesWhatHasNoMultiplications) {
  Network network;
  const auto tensor = [&](const std::string& name, const Sizes& sizes) {
    return network.add_value({.name = name, .sizes = sizes});
  };
  const auto x = tensor("x", {2, 3});
  network.inputs = {x};
  const auto add_state = [&](const std::string& name, const Sizes& sizes, StateEntry::Kind kind) {
    const auto value = tensor(name, sizes);
    network.state.push_back({.name = name, .kind = kind, .value = value, .tensor = at::ones(sizes)});
    return Argument(ValueRef{value});
  };
  using Kind = StateEntry::Kind;
  const auto weight = add_state("fc.weight", {3, 3}, Kind::parameter);
  const auto gain = add_state("norm.weight", {3}, Kind::parameter);
  const auto shift = add_state("norm.bias", {3}, Kind::parameter);
  const auto mean = add_state("norm.running_mean", {3}, Kind::buffer);
  const auto variance = add_state("norm.running_var", {3}, Kind::buffer);
  add_state("unused", {11}, Kind::parameter);
  const auto h = tensor("h", {2, 3}), g = tensor("g", {2, 3}), y = tensor("y", {2, 3});
  network.calls.push_back({"aten::linear", "", {ValueRef{x}, weight, Argument()}, {{false, {h}}}, "fc", ""});
  network.calls.push_back({"aten::linear", "", {ValueRef{h}, weight, Argument()}, {{false, {g}}}, "", ""});
  const auto constant = [](c10::IValue value) { return Argument(std::move(value)); };
  network.calls.push_back({"aten::batch_norm",
                           "",
                           {ValueRef{g}, gain, shift, mean, variance, constant(true), constant(0.1),
                            constant(1e-5), constant(false)},
                           {{false, {y}}},
                           "norm",
                           ""});
  network.outputs = {ValueRef{y}};
  const auto report = cost_of(network);
  EXPECT_EQ(report.parameters, 9 + 3 + 3 + 11);
  EXPECT_EQ(report.macs, 9 + 9);
  ASSERT_EQ(report.layers.size(), 3u);
  EXPECT_EQ(report.layers[0].parameters, 9);
  EXPECT_EQ(report.layers[1].parameters, 0);
  EXPECT_EQ(report.layers[1].name, "g");
  EXPECT_EQ(report.layers[2].parameters, 6);
  EXPECT_EQ(report.layers[2].macs, 0);
  EXPECT_EQ(report.layers[2].output_sizes, (Sizes{1, 3}));
  EXPECT_EQ(cost_of(network, {at::zeros({5, 3})}).macs, 5 * 18);
  // The run was in evaluation mode: nothing was learnt of zeros.
  EXPECT_TRUE(at::equal(network.state[3].tensor, at::ones({3})));
}

TEST(Cost, RefusesASecondFormula) {
  EXPECT_THROW(register_cost_formula({"aten::mm", nullptr}), std::invalid_argument);
}

TEST(Latency, HasTheQuantilesOfItsTimes) {
  const auto latency = quantiles({5, 1, 4, 2, 3, 11, 6, 7, 10, 8, 9});
  EXPECT_DOUBLE_EQ(latency.median, 6);
  EXPECT_DOUBLE_EQ(latency.p10, 2);
  EXPECT_DOUBLE_EQ(latency.p90, 10);
  EXPECT_DOUBLE_EQ(quantiles({1, 2}).median, 1.5);
  EXPECT_DOUBLE_EQ(quantiles({3}).p90, 3);
  EXPECT_THROW(quantiles({}), std::invalid_argument);
}

TEST(Latency, IsMeasuredOverTheRunsThatWereAskedFor) {
  const auto network = network_of(kCases[0]);
  const auto inputs = example_inputs(network);
  const auto latency = measure_latency(network, inputs, {.repetitions = 5, .warmup = 1});
  EXPECT_GT(latency.p10, 0);
  EXPECT_LE(latency.p10, latency.median);
  EXPECT_LE(latency.median, latency.p90);
  EXPECT_THROW(measure_latency(network, inputs, {.repetitions = 0}), std::invalid_argument);
}

}  // namespace
}  // namespace inn
