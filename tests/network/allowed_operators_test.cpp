#include "allowed_operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/modules.h>

#include <nlohmann/json.hpp>

#include "inn/network/files.h"
#include "network/archives.h"
#include "network/records.h"
#include "schema.h"

namespace inn {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::ThrowsMessage;

/// Returns the call with the arguments given by name, and the schema's defaults or None.
Call call_of(const std::string& op, const std::string& overload,
             const std::map<std::string, c10::IValue>& given) {
  Call call{op, overload};
  for (const auto& place : find_schema(op, overload).arguments()) {
    const auto found = given.find(place.name());
    call.arguments.emplace_back(found != given.end() ? found->second
                                                     : place.default_value().value_or(c10::IValue()));
  }
  return call;
}

std::string refusal(const std::string& op, const std::string& overload,
                    const std::map<std::string, c10::IValue>& given = {}) {
  return refusal_of(call_of(op, overload, given), find_schema(op, overload));
}

TEST(AllowedOperators, ComputeOnTensorsNumbersAndKnownWords) {
  EXPECT_EQ(refusal("aten::conv2d", ""), "");
  EXPECT_EQ(refusal("aten::conv2d", "padding", {{"padding", "same"}}), "");
  EXPECT_EQ(refusal("aten::einsum", "", {{"equation", "bij, bjk -> bik"}}), "");
  EXPECT_EQ(refusal("aten::pad", "", {{"mode", "circular"}}), "");
  EXPECT_EQ(refusal("aten::div", "Tensor_mode", {{"rounding_mode", "floor"}}), "");
  EXPECT_EQ(refusal("aten::div", "Tensor_mode"), "");
  EXPECT_EQ(refusal("aten::gelu", "", {{"approximate", "tanh"}}), "");
  EXPECT_EQ(refusal("aten::bernoulli", ""), "");  // its generator is None
  EXPECT_EQ(refusal("aten::to", "device", {{"device", at::Device(at::kCPU)}}), "");
  EXPECT_EQ(refusal("aten::index_put_", ""), "");
  EXPECT_EQ(refusal("aten::_foreach_add_", "Scalar"), "");  // returns nothing, writes
  EXPECT_EQ(refusal("aten::lstm", "input"), "");
  EXPECT_EQ(refusal("aten::mul", "int"), "");
}

TEST(AllowedOperators, RefuseFilesNamesAndOtherTexts) {
  EXPECT_THAT(refusal("aten::from_file", "", {{"filename", "x"}}), HasSubstr("'filename' is a text"));
  EXPECT_THAT(refusal("aten::_print", "", {{"s", "x"}}), Not(IsEmpty()));
  EXPECT_THAT(refusal("aten::_assert_async", "msg", {{"assert_msg", "x"}}), Not(IsEmpty()));
  EXPECT_THAT(refusal("aten::einsum", "", {{"equation", "/etc"}}), HasSubstr("'equation' can't be '/etc'"));
  EXPECT_THAT(refusal("aten::pad", "", {{"mode", "x"}}), HasSubstr("'mode' can't be 'x'"));
  EXPECT_THROW(find_schema("aten::save", ""), std::invalid_argument);  // TorchScript's
  EXPECT_THROW(find_schema("aten::warn", ""), std::invalid_argument);
}

TEST(AllowedOperators, RefuseWhatDoesNotCompute) {
  EXPECT_THAT(refusal("aten::record_stream", ""), Not(IsEmpty()));
  EXPECT_THAT(refusal("aten::_backward", ""), HasSubstr("computes nothing"));
  EXPECT_THAT(refusal("aten::set_", "source_Storage", {{"source", at::zeros({1}).storage()}}),
              HasSubstr("Storage"));
  EXPECT_THAT(refusal("aten::_sparse_coo_tensor_unsafe", ""), Not(IsEmpty()));
  EXPECT_THAT(refusal("quantized::conv2d", "new"), HasSubstr("'quantized'"));
  EXPECT_THAT(refusal("profiler::_record_function_enter", ""), HasSubstr("'profiler'"));
}

TEST(AllowedOperators, NoneOfTheDispatchersTakesAPath) {
  // By the words that torch's schemas have for places outside.
  for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
    const auto handle = c10::Dispatcher::singleton().findSchema(name);
    if (!handle) continue;
    const auto& schema = handle->schema();
    const bool reaches_out =
        std::any_of(schema.arguments().begin(), schema.arguments().end(), [](const c10::Argument& place) {
          for (const char* word : {"file", "path", "name", "group", "process", "msg", "url", "key", "attr"})
            if (without_optional(place.type())->kind() == c10::TypeKind::StringType &&
                place.name().find(word) != std::string::npos)
              return true;
          return false;
        });
    if (reaches_out) {
      EXPECT_NE(refusal_of(schema, [](size_t) { return true; }), "") << c10::toString(schema);
    }
  }
}

TEST(NumberOperators, RefuseWhatIsNoNumber) {
  const auto run = [](const std::string& op, const std::string& overload, int64_t a, int64_t b) {
    std::vector<c10::IValue> stack{a, b};
    find_operation(op, overload).run(stack);
    return stack.at(0).toInt();
  };
  constexpr auto kLeast = std::numeric_limits<int64_t>::min(), kLargest = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(run("aten::floordiv", "int", 7, 2), 3);
  EXPECT_EQ(run("aten::remainder", "int", -7, 3), 2);
  EXPECT_EQ(run("aten::mul", "int", 3, -5), -15);
  for (const auto& [op, a, b] :
       std::vector<std::tuple<std::string, int64_t, int64_t>>{{"aten::floordiv", 1, 0},
                                                              {"aten::remainder", 1, 0},
                                                              {"aten::floordiv", kLeast, -1},
                                                              {"aten::remainder", kLeast, -1},
                                                              {"aten::add", kLargest, 1},
                                                              {"aten::sub", kLeast, 1},
                                                              {"aten::mul", kLargest, 2},
                                                              {"aten::__lshift__", 1, 64},
                                                              {"aten::__rshift__", 1, -1}})
    EXPECT_THROW(run(op, "int", a, b), std::out_of_range) << op;
}

/// Archives of a small network whose first call is made another.
class HostileArchive : public testing::Test {
 protected:
  void SetUp() override {
    torch::nn::Linear module(3, 3);
    write_pt2(trace(
                  *module, [&](const at::Tensor& x) { return module(x); }, at::ones({2, 3})),
              path_);
  }

  void expect_refused(const std::string& target, const Json& inputs, const char* message) {
    auto records = records_of(path_);
    auto program = Json::parse(records.at("models/model.json"));
    auto& node = program["graph_module"]["graph"]["nodes"][0];
    node["target"] = target;
    node["inputs"] = inputs;
    records["models/model.json"] = program.dump();
    const auto hostile = folder_ / "hostile.pt2";
    write_records(records, hostile);
    EXPECT_THAT([&] { read_pt2(hostile); },
                ThrowsMessage<std::invalid_argument>(AllOf(
                    HasSubstr(hostile.string()), HasSubstr("call '" + target + "'"), HasSubstr(message))));
  }

  static Json argument(const std::string& name, const Json& value, int kind = 1) {
    return {{"name", name}, {"arg", value}, {"kind", kind}};
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "linear.pt2";
};

TEST_F(HostileArchive, MakesNoFile) {
  const auto made = folder_ / "made";
  expect_refused(
      "torch.ops.aten.from_file.default",
      {argument("filename", {{"as_string", made.string()}}), argument("shared", {{"as_bool", true}}),
       argument("size", {{"as_int", 6}}), argument("dtype", {{"as_scalar_type", 7}}, 2)},
      "'filename' is a text");
  expect_refused("torch.ops.aten.save.default",
                 {argument("item", {{"as_int", 1}}), argument("filename", {{"as_string", made.string()}})},
                 "no such operator on tensors or sizes");
  EXPECT_FALSE(std::filesystem::exists(made));
}

TEST_F(HostileArchive, CallsNothingThatPrintsOrIsOfAnotherPart) {
  expect_refused("torch.ops.aten._print.default", Json::array({argument("s", {{"as_string", "x"}})}),
                 "computes nothing");
  expect_refused("torch.ops.profiler._record_function_enter.default",
                 Json::array({argument("name", {{"as_string", "x"}})}), "'profiler'");
}

TEST_F(HostileArchive, ANetworkMadeByHandIsHeldToTheSameRule) {
  auto network = read_pt2(path_);
  auto call = call_of("aten::from_file", "", {{"filename", "x"}});
  call.results = network.calls[0].results;
  network.calls[0] = call;
  EXPECT_THAT([&] { network.validate(); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("'filename' is a text")));
}

}  // namespace
}  // namespace inn
