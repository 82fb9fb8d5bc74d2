#include "inn/model/batch_norm.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "model/small_convolutional.h"

namespace inn {
namespace {

/// The same norm written as another operator, with the saved statistics that this one gives too.
Network written_as(const Network& source, const std::string& op) {
  Network network = source;
  for (auto& call : network.calls) {
    if (call.op != "aten::batch_norm" || op == call.op) continue;
    const auto given = call.arguments;  // …, training, momentum, eps, cudnn_enabled
    call.op = op;
    call.arguments.assign(given.begin(), given.begin() + 5);
    const auto& schema = find_schema(op, "");
    for (size_t a = 5; a < schema.arguments().size(); ++a) {
      const auto& name = schema.arguments()[a].name();
      call.arguments.push_back(given[name == "training"   ? 5
                                     : name == "momentum" ? 6
                                     : name == "eps"      ? 7
                                                          : 8]);
    }
    for (size_t r = 1; r < schema.returns().size(); ++r)
      call.results.push_back({.values = {network.add_value({.name = fmt::format("saved_{}", r)})}});
  }
  network.validate();
  return network;
}

at::Tensor state_of(const Network& network, const char* name) {
  return network.state[network.find_state(name)].tensor;
}

class EveryBatchNorm : public testing::TestWithParam<const char*> {};

TEST_P(EveryBatchNorm, IsFoldedWithoutAChangeOfOutputs) {
  const Network network = written_as(small_convolutional(), GetParam());
  const Network folded = fold_batch_norm(network);
  EXPECT_EQ(folded.calls.size(), network.calls.size() - 1);
  folded.validate();
  EXPECT_LT(difference(folded.forward(input()), network.forward(input())), kRounding);
}

/// Batches of unlike sizes and means: the mean of their variances is far from the variance of all.
/// On batches of one input.
void recalibrate_on(Network& network, const std::function<std::optional<at::Tensor>()>& next_batch) {
  recalibrate_batch_norm(network, [&]() -> std::optional<std::vector<c10::IValue>> {
    const auto batch = next_batch();
    return batch ? std::optional(std::vector<c10::IValue>{*batch}) : std::nullopt;
  });
}

TEST_P(EveryBatchNorm, IsRecalibratedToTheStatisticsOfTheConcatenatedBatches) {
  Network network = written_as(small_convolutional().clone(), GetParam());
  const auto weight = state_of(network, "conv1.weight").detach();
  const auto generator = at::detail::createCPUGenerator(5);
  std::vector<at::Tensor> batches;
  for (const int64_t size : {4, 1, 7})
    batches.push_back(at::randn({size, 3, 3, 3}, generator, at::TensorOptions(at::kDouble)) * 2.0 +
                      static_cast<double>(size));
  size_t next = 0;
  recalibrate_on(network, [&]() -> std::optional<at::Tensor> {
    return next < batches.size() ? std::optional(batches[next++]) : std::nullopt;
  });
  const auto seen = at::conv2d(at::cat(batches), weight, {}, 1, 1).transpose(0, 1).flatten(1);
  EXPECT_LT(difference(state_of(network, "bn1.running_mean"), seen.mean(1)), kRounding);
  EXPECT_LT(difference(state_of(network, "bn1.running_var"), seen.var(1, /*unbiased=*/true)), kRounding);
}

INSTANTIATE_TEST_SUITE_P(BatchNorm, EveryBatchNorm,
                         testing::Values("aten::batch_norm", "aten::native_batch_norm",
                                         "aten::_native_batch_norm_legit",
                                         "aten::_native_batch_norm_legit_no_training",
                                         "aten::_batch_norm_no_update"));

std::optional<at::Tensor> no_batch() { return std::nullopt; }

TEST(RecalibrateBatchNorm, RefusesNoBatchAndASingleNumberAndChangesNothing) {
  Network network = small_convolutional().clone();
  const auto before = state_of(network, "bn1.running_var").clone();
  EXPECT_THROW(recalibrate_on(network, no_batch), std::invalid_argument);

  test::NetworkBuilder b(2);
  auto x = b.call("aten::linear", "", {b.input("x", {2, 3}), b.parameter("fc.weight", {4, 3})});
  Network rows = b.finish(b.batch_norm("norm", x, 4));
  int left = 1;
  EXPECT_THROW(recalibrate_on(rows,
                              [&]() -> std::optional<at::Tensor> {
                                if (left-- == 0) return std::nullopt;
                                return at::randn({1, 3}, at::kDouble);
                              }),
               std::invalid_argument);
  EXPECT_TRUE(at::equal(state_of(network, "bn1.running_var"), before));
}

TEST(RecalibrateBatchNorm, RefusesByNameWhatItCantMeasure) {
  const auto message = [](Network network) {
    try {
      recalibrate_on(network, [] { return std::optional(at::randn({4, 3, 3, 3}, at::kDouble)); });
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  Network instances = small_convolutional();
  for (auto& call : instances.calls)
    if (call.op == "aten::batch_norm") {
      call.op = "aten::instance_norm";
      call.module = "bn1";
    }
  EXPECT_NE(message(instances).find("running statistics of 'aten::instance_norm' in module 'bn1' cannot be"),
            std::string::npos)
      << message(instances);
  Network saved = written_as(small_convolutional(), "aten::native_batch_norm");
  for (const auto& call : saved.calls)
    if (call.op == "aten::native_batch_norm")
      saved.outputs.push_back(Argument(ValueRef{call.results[1].values[0]}));
  EXPECT_NE(message(saved).find("its saved statistics are used elsewhere"), std::string::npos)
      << message(saved);
}

/// One norm called twice has the statistics of both calls together.
TEST(RecalibrateBatchNorm, MeasuresANormOfTwoCallsOnBoth) {
  test::NetworkBuilder b(3);
  const auto x = b.input("x", {4, 3});
  auto norm = b.batch_norm("norm", x, 3);
  Network network = b.finish(norm);
  Call again = network.calls.back();
  again.arguments[0] = Argument(ValueRef{norm});
  const auto second = network.add_value({.name = "again", .dtype = at::kDouble, .sizes = {4, 3}});
  again.results[0].values = {second};
  network.calls.push_back(again);
  network.outputs = {Argument(ValueRef{second})};
  const auto gain = state_of(network, "norm.weight"), shift = state_of(network, "norm.bias");
  const auto batch = at::randn({6, 3}, at::kDouble);
  int left = 1;
  recalibrate_on(network, [&]() -> std::optional<at::Tensor> {
    return left-- > 0 ? std::optional(batch) : std::nullopt;
  });
  const auto first = at::batch_norm(batch, gain, shift, {}, {}, true, 0.1, 1e-5, false);
  const auto seen = at::cat({batch, first});
  EXPECT_LT(difference(state_of(network, "norm.running_mean"), seen.mean(0)), kRounding);
  EXPECT_LT(difference(state_of(network, "norm.running_var"), seen.var(0, /*unbiased=*/true)), kRounding);
}

}  // namespace
}  // namespace inn
