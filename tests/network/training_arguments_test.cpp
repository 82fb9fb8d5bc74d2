// What calls do in training and in evaluation, whatever mode their source was in.

#include "inn/network/training_arguments.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/functional.h>
#include <torch/nn/modules.h>

#include <set>

#include "inn/network/files.h"
#include "network_builder.h"
#include "temporary_folder.h"

namespace inn {
namespace {

using test::NetworkBuilder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// The values that the calls of the network have for what depends on the mode, in order; flags are 0 or 1.
std::vector<double> values_of(const Network& network) {
  std::vector<double> values;
  for (const auto& call : network.calls)
    for (const auto& entry : training_arguments()) {
      if (entry.op != call.op) continue;
      const auto place =
          find_schema(call.op, call.overload).argumentIndexWithName(std::string(entry.argument));
      const auto& value = call.arguments.at(static_cast<size_t>(place.value())).constant();
      values.push_back(value.isBool() ? (value.toBool() ? 1 : 0) : value.toDouble());
    }
  return values;
}

std::vector<double> values_in(Network network, bool training) {
  network.set_training(training);
  return values_of(network);
}

/// norm, norm, dropout, attention with these values, the dropout called by a module of this type.
struct Given {
  bool first_norm, second_norm, dropout;
  double attention;
  std::string dropout_type = "torch.nn.modules.dropout.Dropout";
};

Network network_of(const Given& given) {
  NetworkBuilder b;
  auto x = b.input("x", {4, 2, 5, 6});
  for (const auto& [name, training] :
       {std::pair{"first", given.first_norm}, std::pair{"second", given.second_norm}}) {
    const auto mean =
        b.state(std::string(name) + ".mean", at::zeros({2}, at::kDouble), StateEntry::Kind::buffer);
    const auto var =
        b.state(std::string(name) + ".var", at::ones({2}, at::kDouble), StateEntry::Kind::buffer);
    x = b.call("aten::batch_norm", "", {x, {}, {}, mean, var, training, 0.1, 1e-5, false});
  }
  x = b.call("aten::dropout", "", {x, 0.25, given.dropout});
  Network network =
      b.finish(b.call("aten::scaled_dot_product_attention", "", {x, x, x, {}, given.attention}));
  network.calls[2].module_type = given.dropout_type;
  return network;
}

TEST(TrainingArguments, AreThoseOfEveryOperatorOfTorch) {
  std::set<std::pair<std::string, std::string>> listed;
  for (const auto& entry : training_arguments())
    EXPECT_TRUE(listed.emplace(entry.op, entry.argument).second) << entry.op;
  // Backward formulas, a mask filled for a kernel's tests, and a kernel that refuses dropout.
  const std::set<std::string> left_out{"aten::_fill_mem_eff_dropout_mask_",
                                       "aten::_flash_attention_forward_no_dropout_inplace"};
  const std::set<std::string> names{"training", "train", "use_input_stats", "dropout_p"};
  std::set<std::string> met;
  for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
    if (!name.name.starts_with("aten::") || name.name.find("backward") != std::string::npos ||
        left_out.contains(name.name))
      continue;
    const auto handle = c10::Dispatcher::singleton().findSchema(name);
    if (!handle) continue;
    for (const auto& argument : handle->schema().arguments()) {
      if (!names.contains(argument.name())) continue;
      met.insert(name.name);
      EXPECT_TRUE(listed.contains({name.name, argument.name()})) << name.name << " " << argument.name();
    }
  }
  EXPECT_GT(met.size(), 30u);
}

TEST(TrainingArguments, FollowTheModeWhateverTheSourcesWas) {
  const Network evaluated = network_of({false, false, false, 0});
  EXPECT_THAT(values_in(evaluated, true), ElementsAre(1, 1, 1, 0));
  EXPECT_THAT(values_in(evaluated, false), ElementsAre(0, 0, 0, 0));
  Network trained = network_of({true, true, true, 0.4});
  for (int round = 0; round < 2; ++round) {
    trained.set_training(false);
    EXPECT_THAT(values_of(trained), ElementsAre(0, 0, 0, 0));
    trained.set_training(true);
    EXPECT_THAT(values_of(trained), ElementsAre(1, 1, 1, 0.4));
  }
}

TEST(TrainingArguments, KeepWhatWasFrozenInASourceInTraining) {
  const Network frozen = network_of({false, true, true, 0.4});
  EXPECT_THAT(values_in(frozen, false), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(values_in(frozen, true), ElementsAre(0, 1, 1, 0.4));
  // All norms frozen: the dropout of a module of torch.nn says that the source was in training.
  const Network all_frozen = network_of({false, false, true, 0});
  EXPECT_THAT(values_in(all_frozen, false), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(values_in(all_frozen, true), ElementsAre(0, 0, 1, 0));
}

TEST(TrainingArguments, KeepWhatIsAlwaysOnInASourceInEvaluation) {
  const Network always = network_of({false, false, true, 0.4, "mine.Block"});
  EXPECT_THAT(values_in(always, false), ElementsAre(0, 0, 1, 0.4));
  EXPECT_THAT(values_in(always, true), ElementsAre(1, 1, 1, 0.4));
}

TEST(TrainingArguments, CanAllBeTurnedOffForAComparison) {
  Network network = network_of({false, false, true, 0.4, "mine.Block"});
  turn_off_dropout(network);
  EXPECT_THAT(values_of(network), ElementsAre(0, 0, 0, 0));
  const auto x = at::randn({4, 2, 5, 6}, at::kDouble);
  EXPECT_TRUE(at::equal(network.forward(x), network.forward(x)));
  EXPECT_THAT(values_in(network, false), ElementsAre(0, 0, 1, 0.4));
}

TEST(TrainingArguments, AreKeptInFiles) {
  const TemporaryFolder folder;
  for (const Given& given : {Given{true, true, true, 0.4}, Given{false, true, true, 0.4},
                             Given{false, false, true, 0.4, "mine.Block"}, Given{false, false, false, 0}}) {
    const Network source = network_of(given);
    const auto training = values_in(source, true), evaluation = values_in(source, false);
    for (const bool mode : {true, false}) {
      Network written = source;
      written.set_training(mode);
      write_pt2(written, folder / "network.pt2");
      const Network read = read_pt2(folder / "network.pt2");
      EXPECT_EQ(values_in(read, true), training);
      EXPECT_EQ(values_in(read, false), evaluation);
    }
  }
}

TEST(TrainingArguments, AttentionDropsOutInTrainingOnly) {
  NetworkBuilder b(3);
  const auto x = b.input("x", {2, 2, 16, 4});
  Network network = b.finish(b.call("aten::scaled_dot_product_attention", "", {x, x, x, {}, 0.5}));
  const auto input = at::randn({2, 2, 16, 4}, at::kDouble);
  const auto expected = at::scaled_dot_product_attention(input, input, input);
  network.set_training(false);
  EXPECT_TRUE(at::allclose(network.forward(input), expected));
  network.set_training(true);
  EXPECT_FALSE(at::allclose(network.forward(input), network.forward(input)));
}

struct FrozenImpl : torch::nn::Module {
  FrozenImpl() {
    norm = register_module("norm", torch::nn::BatchNorm1d(4));
    other = register_module("other", torch::nn::BatchNorm1d(4));
  }
  at::Tensor forward(const at::Tensor& x) { return torch::dropout(other(norm(x)), 0.5, true); }
  torch::nn::BatchNorm1d norm{nullptr}, other{nullptr};
};

TEST(TrainingArguments, OfATracedModuleAreOfTheModeThatItSays) {
  FrozenImpl module;
  const auto record = [&] {
    return trace(
        module, [&](const at::Tensor& x) { return module.forward(x); }, torch::randn({3, 4}));
  };
  module.train();
  module.norm->eval();
  EXPECT_THAT(values_in(record(), true), ElementsAre(0, 1, 1));
  EXPECT_THAT(values_in(record(), false), ElementsAre(0, 0, 0));
  module.eval();
  EXPECT_THAT(values_in(record(), true), ElementsAre(1, 1, 1));
  EXPECT_THAT(values_in(record(), false), ElementsAre(0, 0, 1));
}

TEST(TrainingArguments, RefuseADamagedRecordAndChangeNothing) {
  Network network = network_of({false, true, true, 0.4});
  network.set_training(true);
  const auto before = values_of(network);
  auto& record = network.extra.at("training.json");
  for (const std::string damaged :
       {"", "[1]", "{\"batch_norm_3\": 1}", "{\"batch_norm_3\": {\"training\": false}}",
        "{\"scaled_dot_product_attention_8\": {\"training\": 2, \"evaluation\": 7}}"}) {
    record = damaged;
    EXPECT_THAT([&] { network.set_training(false); },
                ThrowsMessage<std::runtime_error>(HasSubstr("extra/training.json is corrupt")))
        << damaged;
    EXPECT_EQ(values_of(network), before);
  }
}

}  // namespace
}  // namespace inn
