#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include "inn/network/files.h"
#include "network/archives.h"

namespace inn {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

std::filesystem::path temporary(const std::string& name) {
  static const TemporaryFolder folder;
  return folder / name;
}

/// Saves a script that has the parameters weight [5, 3] and inner.bias [5].
std::filesystem::path saved_script(const std::string& source) {
  torch::jit::Module inner("__torch__.Inner"), module("__torch__.Outer");
  inner.register_parameter("bias", at::arange(5, at::kFloat), false);
  module.register_parameter("weight", at::arange(15, at::kFloat).reshape({5, 3}) / 7, false);
  module.register_module("inner", inner);
  module.define(source);
  const auto path = temporary("script.pt");
  module.save(path.string());
  return path;
}

TEST(ReadTorchScript, GivesNamedStateAndTheSameOutputs) {
  const auto path = saved_script(R"(
def forward(self, x):
    y = torch.relu(torch.linear(x, self.weight, self.inner.bias)) * 2.0
    return y.view([x.size(0), -1]), torch.mean(y)
)");
  const auto network = read_torchscript(path, {at::randn({2, 3})});
  ASSERT_EQ(network.state.size(), 2u);
  EXPECT_EQ(network.state[network.find_state("inner.bias")].kind, StateEntry::Kind::parameter);
  const auto x = at::randn({2, 3});
  const auto expected = torch::jit::load(path.string()).forward({x}).toTuple()->elements().vec();
  expect_equal_outputs(network.forward(std::vector<c10::IValue>{x}), expected);
}

TEST(ReadTorchScript, RefusesControlFlowByName) {
  const auto loop = saved_script(R"(
def forward(self, x):
    for i in range(x.size(0)):
        x = x + self.inner.bias.sum()
    return x
)");
  EXPECT_THAT(
      [&] {
        read_torchscript(loop, {at::randn({2, 3})});
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("prim::Loop")));
  const auto branch = saved_script(R"(
def forward(self, x):
    if bool(x.sum() > 0):
        x = x * 2.0
    return x
)");
  EXPECT_THAT(
      [&] {
        read_torchscript(branch, {at::randn({2, 3})});
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("prim::If")));
}

TEST(ReadTorchScript, NamesAMissingOrForeignFile) {
  EXPECT_THAT([] { read_torchscript("/nowhere/x.pt", {}); },
              ThrowsMessage<std::runtime_error>(HasSubstr("/nowhere/x.pt")));
  const auto path = temporary("foreign.pt");
  write_bytes(path, {'n', 'o', 't', ' ', 'a', ' ', 'z', 'i', 'p'});
  EXPECT_THAT([&] { read_torchscript(path, {at::ones({1})}); },
              ThrowsMessage<std::runtime_error>(HasSubstr(path.string())));
}

/// Expects that the script is refused by name, and that nothing stands at the path that it would write to.
void expect_harmless(const std::string& source, const std::filesystem::path& made, const char* named) {
  const auto path = saved_script(source);
  EXPECT_THAT(
      [&] {
        read_torchscript(path, {at::ones({2, 3})});
      },
      ThrowsMessage<std::invalid_argument>(AllOf(HasSubstr(path.string()), HasSubstr(named))));
  EXPECT_FALSE(std::filesystem::exists(made)) << source;
}

TEST(ReadTorchScript, RefusesCodeThatReachesFiles) {
  const TemporaryFolder folder;
  const auto made = folder / "made";
  expect_harmless(fmt::format(R"(
def forward(self, x):
    torch.save(x, "{}")
    return x * 2.0
)",
                              made.string()),
                  made, "aten::save");
  expect_harmless(fmt::format(R"(
def forward(self, x):
    return x + torch.from_file("{}", True, 3)
)",
                              made.string()),
                  made, "aten::from_file");
  // In an assertion, which is no control flow.
  expect_harmless(fmt::format(R"(
def forward(self, x):
    if x.size(0) > 100:
        torch.save(x, "{}")
        assert False, "large"
    return x * 2.0
)",
                              made.string()),
                  made, "aten::save");
  expect_harmless(R"(
def forward(self, x):
    print(x)
    return x * 2.0
)",
                  made, "prim::Print");
}

TEST(ReadTorchScript, RunsNoCodeToReadTheFile) {
  const TemporaryFolder folder;
  const auto made = folder / "made";
  const auto source = fmt::format(R"(
def __getstate__(self) -> Tensor:
    return self.weight
def __setstate__(self, state: Tensor) -> None:
    self.weight = state
    torch.save(state, "{}")
def forward(self, x):
    return torch.linear(x, self.weight)
)",
                                  made.string());
  torch::jit::Module module("__torch__.Stateful");
  module.register_attribute("weight", c10::TensorType::get(), at::ones({5, 3}));
  module.define(source);
  const auto path = temporary("stateful.pt");
  module.save(path.string());
  EXPECT_THAT(
      [&] {
        read_torchscript(path, {at::ones({2, 3})});
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("__setstate__")));
  EXPECT_FALSE(std::filesystem::exists(made));
  // So the file does what it is refused for.
  torch::jit::load(path.string());
  EXPECT_TRUE(std::filesystem::exists(made));
}

TEST(ReadTorchScript, ADamagedWeightIsRefused) {
  const auto path = saved_script(R"(
def forward(self, x):
    return torch.linear(x, self.weight, self.inner.bias)
)");
  auto bytes = file_bytes(path);
  const auto weight = at::arange(15, at::kFloat).reshape({5, 3}) / 7;
  const auto* data = static_cast<const char*>(weight.data_ptr());
  const auto found = std::search(bytes.begin(), bytes.end(), data, data + weight.nbytes());
  ASSERT_NE(found, bytes.end());
  *(found + 9) ^= 1;
  write_bytes(path, bytes);
  EXPECT_THAT(
      [&] {
        read_torchscript(path, {at::ones({2, 3})});
      },
      ThrowsMessage<std::runtime_error>(HasSubstr("checksum")));
}

void check_python_script(const std::string& name) {
  const auto path = archives_folder() / (name + ".torchscript");
  if (!std::filesystem::exists(path)) return;
  const auto example = examples_of(name)[0];
  std::vector<at::Tensor> inputs;
  for (const auto& input : example.inputs) inputs.push_back(input.toTensor());
  const auto network = read_torchscript(path, inputs);
  expect_equal_outputs(network.forward(example.inputs), example.outputs);
  for (const auto& call : network.calls) EXPECT_NE(call.op, "aten::_convolution");
  const auto exported = read_pt2(archive_path(name));
  for (const auto& entry : exported.state) {
    // torch.jit leaves out what the traced function does not read.
    if (entry.kind != StateEntry::Kind::parameter || entry.name.starts_with("unused")) continue;
    EXPECT_TRUE(at::equal(network.state[network.find_state(entry.name)].tensor, entry.tensor)) << entry.name;
  }
}

TEST(ReadTorchScript, GivesThePythonOutputs) { for_each_archive(check_python_script); }

void check_written_script(const std::string& name) {
  const TemporaryFolder folder;
  const auto network = read_pt2(archive_path(name));
  const auto path = folder / (name + ".pt");
  write_torchscript(network, path);
  for (const auto& example : examples_of(name)) {
    auto module = torch::jit::load(path.string());
    const auto result = module.forward(example.inputs);
    expect_equal_outputs(
        result.isTuple() ? result.toTuple()->elements().vec() : std::vector<c10::IValue>{result},
        example.outputs);
  }
}

TEST(WriteTorchScript, LoadsAndRunsWithEqualOutputs) { for_each_archive(check_written_script); }

TEST(WriteTorchScript, SizesFollowTheBatchAndNamesStay) {
  const auto path = saved_script(R"(
def forward(self, x):
    return torch.linear(x, self.weight, self.inner.bias).view([10])
)");
  auto network = read_torchscript(path, {at::randn({2, 3})});
  network.symbols = {{"batch", 2, SizeSymbol::Source{network.inputs[0], 0}}, {"width", 5, std::nullopt}};
  auto& view = network.calls.back();
  ASSERT_EQ(view.op, "aten::view");
  view.arguments[1] = Argument::List{SizeExpression::symbol(0) * SizeExpression::symbol(1)};
  const auto written = temporary("written.pt");
  write_torchscript(network, written);
  auto module = torch::jit::load(written.string());
  const auto x = at::randn({7, 3});
  EXPECT_TRUE(at::equal(module.forward({x}).toTensor(), network.forward(x)));
  std::vector<std::string> names;
  for (const auto& item : module.named_parameters()) names.push_back(item.name);
  EXPECT_THAT(names, testing::UnorderedElementsAre("weight", "inner.bias"));
  EXPECT_TRUE(at::equal(read_torchscript(written, {x}).forward(x), network.forward(x)));
}

}  // namespace
}  // namespace inn
