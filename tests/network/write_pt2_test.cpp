#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <torch/nn/module.h>
#include <torch/version.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "inn/network/files.h"
#include "network/archives.h"
#include "network/records.h"

namespace inn {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

void check_round_trip(const std::string& name) {
  const WrittenFolder folder;
  const auto source = read_pt2(archive_path(name));
  const auto path = folder / (name + ".pt2");
  write_pt2(source, path);
  const auto copy = read_pt2(path);
  EXPECT_EQ(copy.extra, source.extra);
  EXPECT_EQ(copy.signature.in_spec, source.signature.in_spec);
  ASSERT_EQ(copy.state.size(), source.state.size());
  for (const auto& entry : source.state) {
    const auto& held = copy.state[copy.find_state(entry.name)];
    EXPECT_EQ(held.kind, entry.kind) << entry.name;
    EXPECT_EQ(held.aliases, entry.aliases) << entry.name;
    EXPECT_TRUE(at::equal(held.tensor, entry.tensor)) << entry.name;
    EXPECT_EQ(held.tensor.requires_grad(), entry.tensor.requires_grad()) << entry.name;
  }
  ASSERT_EQ(copy.calls.size(), source.calls.size());
  for (size_t i = 0; i < copy.calls.size(); ++i) {
    EXPECT_EQ(copy.calls[i].qualified_name(), source.calls[i].qualified_name());
    EXPECT_EQ(copy.calls[i].module, source.calls[i].module);
    // A call without a module is written as the root's.
    if (source.calls[i].module.empty()) continue;
    EXPECT_EQ(copy.calls[i].module_type, source.calls[i].module_type);
  }
  for (const auto& example : examples_of(name))
    expect_equal_outputs(copy.clone().forward(example.inputs), example.outputs);
}

TEST(WritePt2, ReadsBackEqual) { for_each_archive(check_round_trip); }

/// A network that views [batch, 6, 4] as [batch, 24]: its size is an expression in the batch and a width.
Network reshaping(std::string batch_formula) {
  Network network;
  const auto formula = [&](const char* text) { return batch_formula.empty() ? "" : text; };
  const auto x = network.add_value({.name = "x", .sizes = {7, 6, 4}, .formulas = {batch_formula, "", ""}});
  const auto weight = network.add_value({.name = "fc.weight", .sizes = {5, 24}});
  const auto flat = network.add_value({.name = "view", .sizes = {7, 24}, .formulas = {batch_formula, ""}});
  const auto y = network.add_value({.name = "lambda", .sizes = {7, 5}, .formulas = {batch_formula, ""}});
  const auto all = network.add_value(
      {.name = "1 flat",
       .sizes = {35},
       .formulas = {formula("Mul(Integer(5), Symbol('s5', positive=True, integer=True))")}});
  network.inputs = {x};
  network.state = {
      {"fc.weight", StateEntry::Kind::parameter, weight, at::arange(120, at::kFloat).reshape({5, 24}), {}}};
  network.symbols = {{"batch", 7, SizeSymbol::Source{x, 0}}, {"width", 6, std::nullopt}};
  const auto batch = SizeExpression::symbol(0), width = SizeExpression::symbol(1);
  const auto number = SizeExpression::constant;
  network.calls = {
      {"aten::view", "", {ValueRef{x}, Argument::List{batch, number(4) * width}}, {{false, {flat}}}, "", ""},
      {"aten::linear",
       "",
       {ValueRef{flat}, ValueRef{weight}, c10::IValue()},
       {{false, {y}}},
       "fc",
       "my.Linear, 2"},
      {"aten::view",
       "",
       {ValueRef{y}, Argument::List{number(3) * batch + number(2) * batch}},
       {{false, {all}}},
       "",
       ""}};
  network.outputs = {ValueRef{all}};
  if (!batch_formula.empty()) network.ranges["s5"] = {1, 64};
  return network;
}

std::vector<at::Tensor> batches_of(const std::vector<int64_t>& batches) {
  std::vector<at::Tensor> inputs;
  for (const auto batch : batches) inputs.push_back(at::randn({batch, 6, 4}));
  return inputs;
}

TEST(WritePt2Sizes, FollowADynamicBatch) {
  const WrittenFolder folder;
  const auto network = reshaping("Symbol('s5', positive=True, integer=True)");
  write_pt2(network, folder / "SizesDynamic.pt2");
  save_runs(network, folder / "SizesDynamic.pt", batches_of({7, 3, 11}));
  const auto copy = read_pt2(folder / "SizesDynamic.pt2");
  EXPECT_EQ(copy.values[copy.inputs[0]].formulas[0], "Symbol('s5', positive=True, integer=True)");
  EXPECT_EQ(copy.ranges.at("s5").maximum, 64);
  for (const int64_t batch : {1, 7, 12}) {
    const auto x = at::randn({batch, 6, 4});
    EXPECT_TRUE(at::equal(copy.forward(x), network.forward(x)));
  }
}

TEST(WritePt2Sizes, AreNumbersWhereTheSourceIsStatic) {
  const WrittenFolder folder;
  const auto network = reshaping("");
  write_pt2(network, folder / "SizesStatic.pt2");
  save_runs(network, folder / "SizesStatic.pt", batches_of({7}));
  const auto copy = read_pt2(folder / "SizesStatic.pt2");
  ASSERT_EQ(copy.calls.size(), 3u);
  EXPECT_EQ(copy.calls[0].arguments[1].constant().toIntVector(), (std::vector<int64_t>{7, 24}));
  const auto x = at::randn({7, 6, 4});
  EXPECT_TRUE(at::equal(copy.forward(x), network.forward(x)));
}

TEST(WritePt2Sizes, BecomeDynamicWhereAsked) {
  const WrittenFolder folder;
  const auto network = reshaping("");
  write_pt2(network, folder / "SizesMadeDynamic.pt2", {.dynamic_batch = true});
  save_runs(network, folder / "SizesMadeDynamic.pt", batches_of({7, 2, 13}));
  const auto copy = read_pt2(folder / "SizesMadeDynamic.pt2");
  const auto x = at::randn({3, 6, 4});
  EXPECT_TRUE(at::equal(copy.forward(x), network.forward(x)));
  const auto& last = copy.values[copy.outputs[0].value()];
  EXPECT_THAT(last.formulas[0], HasSubstr("Mul(Integer(5), Symbol('s0'"));
}

TEST(WritePt2Sizes, CantBecomeDynamicWhereANumberIsBurnedIn) {
  const WrittenFolder folder;
  auto network = reshaping("");
  network.calls[0].arguments[1] = c10::IValue(std::vector<int64_t>{7, 24});
  EXPECT_THAT(
      [&] { write_pt2(network, folder / "never.pt2", {.dynamic_batch = true}); },
      ThrowsMessage<std::invalid_argument>(AllOf(HasSubstr("batch size 3"), HasSubstr("aten::view"))));
  EXPECT_FALSE(std::filesystem::exists(folder / "never.pt2"));
}

TEST(WritePt2Failure, LeavesNothingBehind) {
  const TemporaryFolder folder;
  const auto network = reshaping("");
  EXPECT_THAT(
      [&] { write_pt2(network, folder.path() / "missing/x.pt2"); },
      ThrowsMessage<std::runtime_error>(AllOf(HasSubstr("missing/x.pt2"), HasSubstr("No such file"))));
  std::filesystem::create_directories(folder / "taken.pt2");
  EXPECT_THROW(write_pt2(network, folder / "taken.pt2"), std::runtime_error);
  std::filesystem::remove(folder / "taken.pt2");
  // A disk that is full, as seen by a process whose files may have 1000 bytes.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1000, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  std::string message;
  try {
    write_pt2(network, folder / "full.pt2");
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, AllOf(HasSubstr("full.pt2"), HasSubstr("cannot be written")));
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    EXPECT_THAT(entry.path().string(), Not(HasSubstr(".tmp-")));
  EXPECT_FALSE(std::filesystem::exists(folder / "full.pt2"));
}

TEST(WritePt2, KeepsTheOrderOfTheStateAndNamesTorch) {
  const TemporaryFolder folder;
  torch::nn::Module module;
  const auto last = module.register_parameter("z", at::ones({3})),
             first = module.register_parameter("a", at::ones({3}));
  const auto network = trace(
      module, [&](const at::Tensor& x) { return x * last + first; }, at::randn({2, 3}));
  write_pt2(network, folder / "ordered.pt2");
  const auto records = records_of(folder / "ordered.pt2");
  const auto config =
      nlohmann::ordered_json::parse(records.at("data/weights/model_weights_config.json")).at("config");
  ASSERT_EQ(config.size(), 2u);
  EXPECT_EQ(config.begin().key(), "z");
  EXPECT_EQ(nlohmann::json::parse(records.at("models/model.json")).at("torch_version"), TORCH_VERSION);
}

TEST(WritePt2Failure, ReplacesAFileWhole) {
  const TemporaryFolder folder;
  const auto network = reshaping("");
  write_bytes(folder / "SizesStatic.pt2", {'o', 'l', 'd'});
  write_pt2(network, folder / "SizesStatic.pt2");
  EXPECT_EQ(read_pt2(folder / "SizesStatic.pt2").calls.size(), 3u);
}

TEST(Resnet20, GivesTheSameOutputsAfterARoundTrip) {
  if (shared_data_folder().empty()) GTEST_SKIP() << "INN_SHARED_DATA is not set";
  const WrittenFolder folder;
  const auto network = read_pt2(shared_data_folder() / "resnet20.pt2");
  EXPECT_EQ(network.state.size(),
            116u);  // 19 convolutions, 19 batch norms with 5 tensors each, a linear with 2
  write_pt2(network, folder / "Resnet20.pt2");
  const auto copy = read_pt2(folder / "Resnet20.pt2");
  const auto x = at::randn({5, 3, 32, 32});
  EXPECT_TRUE(at::equal(network.forward(x), copy.forward(x)));
  save_runs(network, folder / "Resnet20.pt", {at::randn({1, 3, 32, 32}), at::randn({33, 3, 32, 32})});
}

}  // namespace
}  // namespace inn
