#include "inn/network/network.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inn {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

ValueId add_tensor(Network& network, std::string name, std::vector<int64_t> sizes) {
  return network.add_value({.name = std::move(name), .sizes = std::move(sizes)});
}

/// y = relu(x · Wᵀ + b), made by hand.
Network affine() {
  Network network;
  const auto x = add_tensor(network, "x", {2, 3});
  network.inputs = {x};
  const auto weight = at::arange(12, at::kFloat).reshape({4, 3}) / 10;
  const auto bias = at::arange(4, at::kFloat) - 2;
  for (const auto& [name, tensor] : {std::pair{"fc.weight", weight}, std::pair{"fc.bias", bias}}) {
    const auto value = add_tensor(network, name, tensor.sizes().vec());
    network.state.push_back(
        {name, StateEntry::Kind::parameter, value, tensor.clone().set_requires_grad(true), {}});
  }
  const auto h = add_tensor(network, "h", {2, 4});
  const auto y = add_tensor(network, "y", {2, 4});
  network.calls.push_back(
      {"aten::linear", "", {ValueRef{x}, ValueRef{1}, ValueRef{2}}, {{false, {h}}}, "fc", "Linear"});
  network.calls.push_back({"aten::relu", "", {ValueRef{h}}, {{false, {y}}}, "", ""});
  network.outputs = {ValueRef{y}};
  return network;
}

at::Tensor expected(const Network& network, const at::Tensor& x) {
  return at::relu(at::linear(x, network.state[0].tensor, network.state[1].tensor));
}

TEST(Network, RunsItsCalls) {
  const auto network = affine();
  network.validate();
  const auto x = at::randn({5, 3});
  EXPECT_TRUE(at::equal(network.forward(x), expected(network, x)));
}

TEST(Network, StateIsAnArgumentAndGradientsReachIt) {
  const auto network = affine();
  const auto x = at::randn({5, 3});
  const auto weight = at::randn({4, 3}).set_requires_grad(true);
  const std::vector<at::Tensor> tensors = {weight, network.state[1].tensor};
  const auto y = network.forward({x}, tensors, {})[0].toTensor();
  EXPECT_TRUE(at::equal(y, at::relu(at::linear(x, weight, tensors[1]))));
  y.sum().backward();
  EXPECT_TRUE(at::allclose(weight.grad(), (y > 0).to(at::kFloat).t().matmul(x)));
  EXPECT_FALSE(network.state[0].tensor.grad().defined());
}

TEST(Network, LoadsEachStateTensorOnceAndReleasesIt) {
  auto network = affine();
  const auto x = at::randn({5, 3});
  const auto wanted = network.forward(x);
  std::vector<size_t> loaded;
  c10::weak_intrusive_ptr<c10::TensorImpl> weight(network.state[0].tensor.getIntrusivePtr());
  bool released = false;
  const auto load = [&](size_t s) {
    loaded.push_back(s);
    const auto tensor = network.state[s].tensor.clone();
    if (s == 0) weight = c10::weak_intrusive_ptr<c10::TensorImpl>(tensor.getIntrusivePtr());
    return tensor;
  };
  const auto observe = [&](ValueId id, const at::Tensor&) {
    if (network.values[id].name == "y") released = weight.expired();
  };
  const at::NoGradGuard no_grad;
  const auto outputs = network.forward({x}, {}, {.observe = observe, .load = load});
  EXPECT_TRUE(at::equal(outputs[0].toTensor(), wanted));
  EXPECT_EQ(loaded, (std::vector<size_t>{0, 1}));
  EXPECT_TRUE(released);
  EXPECT_THROW(network.forward({x}, network.tensors(), {.load = load}), std::invalid_argument);
}

TEST(Network, NoticesEditedCalls) {
  auto network = affine();
  const auto x = at::randn({5, 3});
  network.forward(x);
  network.calls[1].op = "aten::neg";
  EXPECT_TRUE(
      at::equal(network.forward(x), -at::linear(x, network.state[0].tensor, network.state[1].tensor)));
}

TEST(Network, ReleasesValuesAfterTheirLastUse) {
  const auto network = affine();
  std::weak_ptr<int> h_alive;
  std::vector<bool> alive;
  Network::ForwardOptions options;
  // The storage of h is asked for, when y is seen, through a weak pointer.
  c10::weak_intrusive_ptr<c10::TensorImpl> h(c10::intrusive_ptr<c10::TensorImpl>{});
  options.observe = [&](ValueId id, const at::Tensor& value) {
    if (network.values[id].name == "h") h = value.getIntrusivePtr();
  };
  const auto outputs = network.forward({at::randn({2, 3})}, network.tensors(), options);
  at::NoGradGuard no_grad;
  network.forward({at::randn({2, 3})}, network.tensors(), options);
  EXPECT_TRUE(h.expired());
}

TEST(Network, ObservesInputsAndResultsInOrder) {
  const auto network = affine();
  std::vector<std::string> seen;
  Network::ForwardOptions options;
  options.observe = [&](ValueId id, const at::Tensor&) { seen.push_back(network.values[id].name); };
  network.forward({at::randn({2, 3})}, network.tensors(), options);
  EXPECT_EQ(seen, (std::vector<std::string>{"x", "h", "y"}));
}

TEST(Network, SizeSymbolsFollowTheirAxis) {
  auto network = affine();
  network.symbols = {{"batch", 2, SizeSymbol::Source{0, 0}}, {"width", 4, std::nullopt}};
  const auto z = add_tensor(network, "z", {8});
  const auto elements = SizeExpression::symbol(0) * SizeExpression::symbol(1);
  network.calls.push_back(
      {"aten::view", "", {ValueRef{4}, Argument::List{elements}}, {{false, {z}}}, "", ""});
  network.outputs = {ValueRef{z}};
  network.validate();
  EXPECT_EQ(network.forward(at::randn({5, 3})).sizes(), at::IntArrayRef({20}));
  const std::vector<int64_t> wrong = {0, 3};
  Network::ForwardOptions options;
  options.symbol_values = wrong;
  EXPECT_THROW(network.forward({at::randn({5, 3})}, network.tensors(), options), std::runtime_error);
}

TEST(Network, IntegersAreCallsOfTorchScriptOperators) {
  auto network = affine();
  const auto batch = network.add_value({.name = "batch", .kind = Value::Kind::integer});
  const auto elements = network.add_value({.name = "elements", .kind = Value::Kind::integer});
  const auto z = add_tensor(network, "z", {8});
  network.calls.push_back(
      {"aten::sym_size", "int", {ValueRef{0}, c10::IValue(0)}, {{false, {batch}}}, "", ""});
  network.calls.push_back(
      {"aten::mul", "int", {ValueRef{batch}, c10::IValue(4)}, {{false, {elements}}}, "", ""});
  network.calls.push_back(
      {"aten::view", "", {ValueRef{4}, Argument::List{ValueRef{elements}}}, {{false, {z}}}, "", ""});
  network.outputs = {ValueRef{z}, ValueRef{elements}};
  network.validate();
  const auto outputs = network.forward(std::vector<c10::IValue>{at::randn({5, 3})});
  EXPECT_EQ(outputs[0].toTensor().sizes(), at::IntArrayRef({20}));
  EXPECT_EQ(outputs[1].toInt(), 20);
}

TEST(Network, NumbersStandForTensors) {
  auto network = affine();
  network.calls[1] = {"aten::mul", "Tensor", {ValueRef{3}, c10::IValue(3)}, {{false, {4}}}, "", ""};
  const auto x = at::randn({2, 3});
  EXPECT_TRUE(
      at::equal(network.forward(x), 3 * at::linear(x, network.state[0].tensor, network.state[1].tensor)));
}

TEST(Network, CloneSharesNothingAndCopiesShareTensors) {
  const auto network = affine();
  const auto copy = network;
  const auto clone = network.clone();
  EXPECT_TRUE(copy.state[0].tensor.is_same(network.state[0].tensor));
  EXPECT_FALSE(clone.state[0].tensor.is_alias_of(network.state[0].tensor));
  EXPECT_TRUE(at::equal(clone.state[0].tensor, network.state[0].tensor));
  EXPECT_TRUE(clone.state[0].tensor.requires_grad());
}

TEST(Network, ConvertsToFloat64) {
  auto network = affine();
  network.calls.push_back({"aten::to",
                           "dtype",
                           {ValueRef{4}, c10::IValue(static_cast<int64_t>(at::kFloat)), c10::IValue(false),
                            c10::IValue(false), c10::IValue()},
                           {{false, {add_tensor(network, "z", {2, 4})}}},
                           "",
                           ""});
  network.outputs = {ValueRef{5}};
  const auto x = at::randn({2, 3}, at::kDouble);
  network.to(at::kDouble);
  network.validate();
  EXPECT_EQ(network.forward(x).scalar_type(), at::kDouble);
  EXPECT_TRUE(at::equal(network.forward(x), expected(network, x)));
  EXPECT_TRUE(network.state[0].tensor.is_leaf() && network.state[0].tensor.requires_grad());
}

TEST(Network, FactoriesFollowDtypeAndDevice) {
  Network network;
  const auto value = add_tensor(network, "weight", {2});
  network.state = {{"weight", StateEntry::Kind::parameter, value, at::ones({2}), {}}};
  const auto none = c10::IValue();
  const auto fresh = add_tensor(network, "fresh", {2}), count = add_tensor(network, "count", {2});
  network.values[count].dtype = at::kLong;
  network.calls = {
      {"aten::zeros",
       "",
       {c10::IValue(std::vector<int64_t>{2}), none, none, none, none},
       {{false, {fresh}}},
       "",
       ""},
      {"aten::arange", "", {c10::IValue(2), none, none, none, none}, {{false, {count}}}, "", ""}};
  network.outputs = {ValueRef{fresh}, ValueRef{count}};
  network.to(at::kDouble);
  const auto outputs = network.forward(std::vector<c10::IValue>{});
  EXPECT_EQ(outputs[0].toTensor().scalar_type(), at::kDouble);
  EXPECT_EQ(outputs[1].toTensor().scalar_type(), at::kLong);
  network.to(c10::Device(c10::kMeta));
  for (const auto& output : network.forward(std::vector<c10::IValue>{}))
    EXPECT_TRUE(output.toTensor().is_meta());
}

TEST(Network, TrainingIsSetWhereStatisticsAreHeld) {
  Network network;
  network.inputs = {add_tensor(network, "x", {4, 3})};
  for (const auto* name : {"mean", "variance"}) {
    const auto value = add_tensor(network, name, {3});
    network.state.push_back({name, StateEntry::Kind::buffer, value, at::ones({3}), {}});
  }
  const auto norm = [](Argument x, Argument mean, Argument variance, bool training, ValueId y) {
    return Call{"aten::batch_norm",
                "",
                {x, c10::IValue(), c10::IValue(), mean, variance, c10::IValue(training), c10::IValue(0.1),
                 c10::IValue(1e-5), c10::IValue(false)},
                {{false, {y}}},
                "",
                ""};
  };
  const auto y = add_tensor(network, "y", {4, 3}), z = add_tensor(network, "z", {4, 3}),
             d = add_tensor(network, "d", {4, 3});
  network.calls = {
      norm(ValueRef{0}, ValueRef{1}, ValueRef{2}, false, y),
      norm(ValueRef{y}, c10::IValue(), c10::IValue(), true, z),
      {"aten::dropout", "", {ValueRef{z}, c10::IValue(0.5), c10::IValue(false)}, {{false, {d}}}, "", ""}};
  network.outputs = {ValueRef{d}};
  network.set_training(true);
  EXPECT_TRUE(network.calls[0].arguments[5].constant().toBool());
  EXPECT_TRUE(network.calls[2].arguments[2].constant().toBool());
  const auto x = at::randn({4, 3});
  network.forward(x);
  EXPECT_TRUE(at::allclose(network.state[0].tensor, 0.9 + 0.1 * x.mean(0)));
  network.set_training(false);
  EXPECT_FALSE(network.calls[0].arguments[5].constant().toBool());
  EXPECT_TRUE(network.calls[1].arguments[5].constant().toBool());
}

TEST(Network, FailsInACallByName) {
  const auto network = affine();
  EXPECT_THAT(
      [&] {
        network.forward(at::randn({2, 7}));
      },
      ThrowsMessage<std::runtime_error>(AllOf(HasSubstr("aten::linear"), HasSubstr("module 'fc'"),
                                              HasSubstr("Float[2, 7]"), HasSubstr("Float[4, 3]"))));
  EXPECT_THAT([&] { network.forward(std::vector<c10::IValue>{}); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("has 1 inputs but got 0")));
}

TEST(Network, FindsStateByNameAndAlias) {
  auto network = affine();
  network.state[1].aliases = {"tied"};
  EXPECT_EQ(network.find_state("tied"), 1u);
  EXPECT_EQ(network.state_of(1), 0u);
  EXPECT_EQ(network.state_of(0), std::nullopt);
  EXPECT_THAT([&] { network.find_state("fc.wieght"); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("'fc.weight'")));
}

TEST(Validate, RefusesWhatIsNotWellFormed) {
  const auto refuses = [](const char* message, auto&& damage) {
    auto network = affine();
    damage(network);
    EXPECT_THAT([&] { network.validate(); }, ThrowsMessage<std::invalid_argument>(HasSubstr(message)));
  };
  refuses("used before it is defined", [](Network& n) { std::swap(n.calls[0], n.calls[1]); });
  refuses("defined twice", [](Network& n) { n.calls[1].results[0].values[0] = 3; });
  refuses("no value 77", [](Network& n) { n.calls[1].arguments[0] = ValueRef{77}; });
  refuses("no such operator", [](Network& n) { n.calls[1].op = "aten::rleu"; });
  refuses("no such operator", [](Network& n) { n.calls[1].op = "relu"; });
  refuses("schema has 1 arguments but the call has 0", [](Network& n) { n.calls[1].arguments.clear(); });
  refuses("argument 'self' is missing", [](Network& n) { n.calls[1].arguments[0] = Argument(); });
  refuses("has sizes [4, 3] but the tensor has [2]", [](Network& n) { n.state[0].tensor = at::ones({2}); });
  refuses("two tensors have this name", [](Network& n) { n.state[1].name = "fc.weight"; });
  refuses("no size symbol 0", [](Network& n) { n.outputs = {SizeExpression::symbol(0)}; });
  refuses("must be one value", [](Network& n) { n.calls[1].results[0].is_list = true; });
  refuses("used before its value is known", [](Network& n) {
    n.symbols = {{"late", 2, SizeSymbol::Source{4, 0}}};
    n.calls[0].arguments[2] = SizeExpression::symbol(0);
  });
}

}  // namespace
}  // namespace inn
