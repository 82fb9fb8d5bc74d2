#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/functional.h>
#include <torch/nn/modules.h>

#include <thread>

#include "inn/network/files.h"
#include "network/archives.h"

namespace inn {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

// The same kernels in the same order.
constexpr double kSameKernels = 1e-6;

struct ResidualImpl : torch::nn::Module {
  ResidualImpl() {
    conv1 =
        register_module("conv1", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 6, 3).padding(1).bias(false)));
    bn1 = register_module("bn1", torch::nn::BatchNorm2d(6));
    branch =
        register_module("branch", torch::nn::Sequential(torch::nn::Conv2d(6, 6, 1), torch::nn::ReLU(true)));
    head = register_module("head", torch::nn::Linear(6, 4));
    unused = register_parameter("unused", torch::ones({2}));
    offsets = register_buffer("offsets", torch::arange(6, torch::kFloat));
    head->bias.set_requires_grad(false);
  }
  at::Tensor forward(const at::Tensor& x) {
    auto y = torch::relu(bn1(conv1(x)));
    y = y + branch->forward(y) * 2 + offsets.view({1, 6, 1, 1}) / 3;
    y = torch::adaptive_avg_pool2d(y, {1, 1}).view({x.size(0), -1});
    return head(torch::dropout(y, 0.5, is_training()) + torch::tensor({0.5, 1.0, 1.5, 2.0, 2.5, 3.0}));
  }
  torch::nn::Conv2d conv1{nullptr};
  torch::nn::BatchNorm2d bn1{nullptr};
  torch::nn::Sequential branch{nullptr};
  torch::nn::Linear head{nullptr};
  at::Tensor unused, offsets;
};
TORCH_MODULE(Residual);

Network traced(Residual& module, const at::Tensor& example) {
  return trace(
      *module, [&](const at::Tensor& x) { return module->forward(x); }, example);
}

TEST(Trace, ComputesWhatTheModuleDoes) {
  Residual module;
  module->eval();
  const auto network = traced(module, torch::randn({2, 3, 5, 5}));
  const auto x = torch::randn({2, 3, 5, 5});
  EXPECT_TRUE(at::allclose(network.forward(x), module->forward(x), kSameKernels, kSameKernels));
}

TEST(Trace, TakesAModuleThatNoPointerOwns) {
  ResidualImpl module;
  module.eval();
  const auto x = torch::randn({2, 3, 5, 5});
  const auto network = trace(
      module, [&](const at::Tensor& input) { return module.forward(input); }, x);
  EXPECT_TRUE(at::allclose(network.forward(x), module.forward(x), kSameKernels, kSameKernels));
}

TEST(Trace, NamesStateAndCallsAsTheModuleDoes) {
  Residual module;
  module->eval();
  const auto network = traced(module, torch::randn({2, 3, 5, 5}));
  for (const auto& item : module->named_parameters()) {
    const auto& entry = network.state[network.find_state(item.key())];
    EXPECT_EQ(entry.kind, StateEntry::Kind::parameter);
    EXPECT_TRUE(at::equal(entry.tensor, item.value()));
    EXPECT_EQ(entry.tensor.requires_grad(), item.value().requires_grad()) << item.key();
    EXPECT_FALSE(entry.tensor.is_alias_of(item.value())) << "the state must be a copy";
  }
  EXPECT_EQ(network.state[network.find_state("bn1.running_mean")].kind, StateEntry::Kind::buffer);
  std::map<std::string, std::string> modules;
  for (const auto& call : network.calls) modules[call.op] = call.module;
  EXPECT_EQ(modules.at("aten::conv2d"), "branch.0");
  EXPECT_EQ(modules.at("aten::batch_norm"), "bn1");
  EXPECT_EQ(modules.at("aten::linear"), "head");
  EXPECT_EQ(network.calls[0].module_type, "torch::nn::Conv2dImpl");
}

TEST(Trace, HoldsOnlyUserCallsAndNoWeightAsConstant) {
  Residual module;
  module->eval();
  const auto network = traced(module, torch::randn({2, 3, 5, 5}));
  std::vector<std::string> constants;
  for (const auto& entry : network.state)
    if (entry.kind == StateEntry::Kind::constant) constants.push_back(entry.name);
  ASSERT_EQ(constants.size(), 1u);  // torch::tensor({0.5, …})
  EXPECT_TRUE(at::equal(network.state[network.find_state(constants[0])].tensor, at::arange(1, 7) * 0.5));
  for (const auto& call : network.calls) EXPECT_THAT(call.op, Not(HasSubstr("_convolution")));
}

TEST(Trace, LeavesTheModuleAsItWas) {
  Residual module;
  module->train();
  const auto before = module->bn1->running_mean.clone();
  auto network = traced(module, torch::randn({4, 3, 5, 5}));
  EXPECT_TRUE(at::equal(module->bn1->running_mean, before));
  EXPECT_EQ(module->bn1->num_batches_tracked.item<int64_t>(), 0);
  network.set_training(false);
  module->eval();
  const auto x = torch::randn({4, 3, 5, 5});
  EXPECT_TRUE(at::allclose(network.forward(x), module->forward(x), kSameKernels, kSameKernels));
}

TEST(Trace, TiesTensorsThatHaveTwoNames) {
  torch::nn::Linear first(3, 3), second(3, 3);
  second->weight = second->register_parameter("weight_", first->weight);
  torch::nn::Sequential both(first, second);
  const auto network = trace(
      *both, [&](const at::Tensor& x) { return both->forward(x); }, torch::randn({2, 3}));
  EXPECT_EQ(network.find_state("0.weight"), network.find_state("1.weight_"));
}

TEST(Trace, RecordsInPlaceWritesInOrder) {
  torch::nn::Linear module(3, 3);
  const auto call = [&](const at::Tensor& x) {
    auto y = torch::empty({2, 4});
    y.fill_(1.0);
    y.narrow(1, 0, 3).copy_(module(x));
    return y.add_(y);
  };
  const auto network = trace(*module, call, torch::randn({2, 3}));
  const auto x = torch::randn({2, 3});
  EXPECT_TRUE(at::allclose(network.forward(x), call(x), kSameKernels, kSameKernels));
  EXPECT_TRUE(at::allclose(network.forward(x), call(x), kSameKernels, kSameKernels))
      << "a second run differs";
}

TEST(Trace, IsWrittenForPython) {
  const WrittenFolder folder;
  Residual module;
  module->eval();
  const auto network = traced(module, torch::randn({2, 3, 5, 5}));
  write_pt2(network, folder / "Traced.pt2");
  save_runs(network, folder / "Traced.pt", {torch::randn({2, 3, 5, 5})});
  const auto copy = read_pt2(folder / "Traced.pt2");
  const auto x = torch::randn({2, 3, 5, 5});
  EXPECT_TRUE(at::equal(copy.forward(x), network.forward(x)));
  EXPECT_EQ(copy.calls[0].module_type, "torch::nn::Conv2dImpl");
}

TEST(Trace, RefusesWhatDependsOnData) {
  torch::nn::Linear module(3, 3);
  const auto call = [&](const at::Tensor& x) { return x.sum().item<float>() > 0 ? module(x) : -module(x); };
  EXPECT_THAT(
      [&] {
        trace(*module, call, torch::randn({2, 3}));
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("aten::item")));
}

TEST(Trace, TakesSeveralInputsAndOutputs) {
  torch::nn::Linear module(3, 3);
  const auto call = [&](const std::vector<c10::IValue>& inputs) -> c10::IValue {
    const auto pair = inputs[1].toTupleRef().elements().vec();
    const auto x = module(inputs[0].toTensor());
    return c10::ivalue::Tuple::create(
        {x + pair[0].toTensor(), std::vector<at::Tensor>{x * pair[1].toTensor()}});
  };
  const auto draw = [] {
    return std::vector<c10::IValue>{torch::randn({2, 3}),
                                    c10::ivalue::Tuple::create({torch::randn({3}), torch::randn({2, 3})})};
  };
  const auto network = trace(*module, call, draw());
  ASSERT_EQ(network.inputs.size(), 3u);
  ASSERT_EQ(network.outputs.size(), 2u);
  const auto given = draw();
  const auto wanted = call(given).toTupleRef().elements().vec();
  const auto pair = given[1].toTupleRef().elements().vec();
  expect_equal_outputs(network.forward({given[0], pair[0], pair[1]}), {wanted[0], wanted[1].toListRef()[0]});
  EXPECT_THAT(
      [&] {
        trace(*module, call, {torch::randn({2, 3}), 3});
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("is a Int")));
}

/// Expects that a trace of the function is refused, and that it was not before its input was read otherwise.
void expect_bound_to_data(const std::function<at::Tensor(const at::Tensor&)>& call,
                          const std::string& named) {
  torch::nn::Linear module(3, 3);
  EXPECT_THAT(
      [&] {
        trace(*module, call, torch::ones({2, 3}));
      },
      ThrowsMessage<std::invalid_argument>(AllOf(
          HasSubstr(named), HasSubstr("depends on the input otherwise than through torch's operators"))));
}

TEST(Trace, RefusesDataThatWasReadPastTheOperators) {
  expect_bound_to_data([](const at::Tensor& x) { return x + x.data() * 2; }, "aten::mul");
  expect_bound_to_data(
      [](const at::Tensor& x) {
        return torch::relu(torch::from_blob(x.data_ptr(), {2, 3}));
      },
      "aten::relu");
  expect_bound_to_data([](const at::Tensor& x) { return x * x.data_ptr<float>()[0]; }, "aten::mul");
  expect_bound_to_data([](const at::Tensor& x) { return x.data_ptr<float>()[0] > 0.9 ? x.relu() : x.tanh(); },
                       "aten::relu");
  expect_bound_to_data(
      [](const at::Tensor& x) {
        at::Tensor result;
        std::thread([&] { result = x.exp(); }).join();
        return result;
      },
      "Output 0");
}

TEST(Trace, HoldsConstantsThatDoNotDependOnTheInput) {
  torch::nn::Linear module(3, 3);
  const auto table = torch::rand({3});
  const auto call = [&](const at::Tensor& x) { return module(x) * table + torch::tensor({NAN, 1.f, 2.f}); };
  const auto network = trace(*module, call, torch::zeros({2, 3}));
  const auto x = torch::randn({2, 3});
  EXPECT_TRUE(at::allclose(network.forward(x), call(x), kSameKernels, kSameKernels, /*equal_nan=*/true));
}

TEST(Trace, PutsBuffersBackWhenTheModuleThrows) {
  torch::nn::BatchNorm1d module(3);
  const auto call = [&](const at::Tensor& x) -> at::Tensor {
    module(x);
    throw std::logic_error("mine");
  };
  EXPECT_THROW(trace(*module, call, torch::randn({5, 3})), std::logic_error);
  EXPECT_TRUE(at::equal(module->running_mean, torch::zeros({3})));
  EXPECT_EQ(module->num_batches_tracked.item<int64_t>(), 0);
}

TEST(Trace, HoldsTransposedConvolutionsAndRecurrentNetworks) {
  torch::nn::ConvTranspose2d up(torch::nn::ConvTranspose2dOptions(3, 4, 2).stride(2));
  torch::nn::GRU gru(torch::nn::GRUOptions(4, 5).batch_first(true));
  torch::nn::Sequential holder(up);
  holder->register_module("gru", gru.ptr());
  const auto call = [&](const at::Tensor& x) {
    return std::get<0>(gru->forward(up(x).flatten(2).transpose(1, 2)));
  };
  const auto network = trace(*holder, call, torch::randn({2, 3, 3, 3}));
  const auto x = torch::randn({2, 3, 3, 3});
  EXPECT_TRUE(at::allclose(network.forward(x), call(x), kSameKernels, kSameKernels));
}

}  // namespace
}  // namespace inn
