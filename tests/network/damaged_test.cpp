#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <random>

#include "inn/network/files.h"
#include "network/archives.h"
#include "network/records.h"

namespace inn {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr const char* kModel = "models/model.json";
constexpr const char* kWeights = "data/weights/model_weights_config.json";

std::filesystem::path damaged_path() {
  static const TemporaryFolder folder;
  return folder / "damaged.pt2";
}

/// A network with one of most things: tied and sliced tensors, integers, an in-place write.
class Damaged : public testing::Test {
 protected:
  void SetUp() override {
    if (archive_names().empty()) GTEST_SKIP() << "no archives: see export_networks.py";
  }
  void TearDown() override { std::filesystem::remove(damaged_path()); }

  template <class Edit>
  void expect_refused(const char* message, const char* record, const Edit& edit,
                      const char* archive = "ConvDynamic") {
    auto records = records_of(archive_path(archive));
    auto json = Json::parse(records.at(record));
    edit(json);
    records[record] = json.dump();
    expect_refused(message, records);
  }

  void expect_refused(const char* message, const Records& records) {
    write_records(records, damaged_path());
    try {
      read_pt2(damaged_path());
      ADD_FAILURE() << "was read; wanted: " << message;
    } catch (const std::exception& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr(damaged_path().string()), HasSubstr(message)));
      const bool is_typed = dynamic_cast<const std::runtime_error*>(&error) ||
                            dynamic_cast<const std::invalid_argument*>(&error);
      EXPECT_TRUE(is_typed) << error.what();
    }
  }
};

TEST_F(Damaged, TruncatedAnywhereIsRefused) {
  const auto bytes = file_bytes(archive_path("Mlp"));
  std::mt19937_64 random(11);
  for (int trial = 0; trial < 120; ++trial) {
    const auto size = trial < 4 ? size_t(trial) : random() % bytes.size();
    write_bytes(damaged_path(), {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)});
    EXPECT_THROW(read_pt2(damaged_path()), std::runtime_error) << "at " << size;
  }
}

TEST_F(Damaged, AFlippedBitIsRefusedOrHarmless) {
  // Some bytes of a zip say nothing (padding, dates): then what is read must be as before.
  const auto bytes = file_bytes(archive_path("Mlp"));
  const auto source = read_pt2(archive_path("Mlp"));
  const auto example = examples_of("Mlp")[0];
  std::mt19937_64 random(12);
  int refused = 0;
  for (int trial = 0; trial < 600; ++trial) {
    auto flipped = bytes;
    const auto place = random() % bytes.size();
    flipped[place] = static_cast<char>(flipped[place] ^ (1 << (random() % 8)));
    write_bytes(damaged_path(), flipped);
    try {
      const auto network = read_pt2(damaged_path());
      expect_equal_outputs(network.forward(example.inputs), example.outputs);
    } catch (const std::runtime_error&) {
      ++refused;
    } catch (const std::invalid_argument&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

TEST_F(Damaged, EveryFlippedWeightIsRefused) {
  auto bytes = file_bytes(archive_path("Mlp"));
  const auto weight = records_of(archive_path("Mlp")).at("data/weights/weight_0");
  const auto found = std::search(bytes.begin(), bytes.end(), weight.begin(), weight.end());
  ASSERT_NE(found, bytes.end());
  for (size_t i = 0; i < weight.size(); i += 7) {
    auto flipped = bytes;
    flipped[static_cast<size_t>(found - bytes.begin()) + i] ^= 1;
    write_bytes(damaged_path(), flipped);
    EXPECT_THAT([&] { read_pt2(damaged_path()); },
                ThrowsMessage<std::runtime_error>(AllOf(HasSubstr("weight_0"), HasSubstr("checksum"))));
  }
}

TEST_F(Damaged, ForeignFilesAreRefused) {
  EXPECT_THAT([] { read_pt2("/nowhere/x.pt2"); },
              ThrowsMessage<std::runtime_error>(HasSubstr("no such file")));
  EXPECT_THAT([] { read_pt2("/tmp"); }, ThrowsMessage<std::runtime_error>(HasSubstr("not a regular file")));
  write_bytes(damaged_path(), {});
  EXPECT_THROW(read_pt2(damaged_path()), std::runtime_error);
  write_bytes(damaged_path(), std::vector<char>(4096, 'x'));
  EXPECT_THROW(read_pt2(damaged_path()), std::runtime_error);
  expect_refused("was not written by torch.export.save", Records{{"data.pkl", "x"}});
}

TEST_F(Damaged, MissingRecordsAreNamed) {
  for (const char* name :
       {kModel, kWeights, "data/weights/weight_0", "data/constants/model_constants_config.json"}) {
    auto records = records_of(archive_path("ConvDynamic"));
    records.erase(name);
    expect_refused(name, records);
  }
}

TEST_F(Damaged, NestingThatWouldOverflowTheStackIsRefused) {
  auto records = records_of(archive_path("ConvDynamic"));
  records[kModel] = std::string(100000, '[');
  expect_refused("nested deeper than", records);
  // Brackets inside strings nest nothing; an escaped quote ends none.
  records[kModel] = R"({"a": "\"[[[ )" + std::string(1000, '[') + R"("})";
  expect_refused("is missing", records);
}

TEST_F(Damaged, SizesBeyondTheDataAreRefusedBeforeTheyAreAllocated) {
  const auto with_size = [](int64_t size) {
    return [=](Json& config) { config["config"]["conv.weight"]["tensor_meta"]["sizes"][0]["as_int"] = size; };
  };
  expect_refused("'conv.weight'", kWeights, with_size(9));
  expect_refused("'conv.weight'", kWeights, with_size(int64_t{1} << 40));
  expect_refused("too large", kWeights, with_size(std::numeric_limits<int64_t>::max()));
  expect_refused("negative", kWeights, with_size(-8));
  expect_refused("'conv.weight'", kWeights, [](Json& config) {
    config["config"]["conv.weight"]["tensor_meta"]["storage_offset"]["as_int"] = 1;
  });
  expect_refused("expected an integer", kWeights, [](Json& config) {
    config["config"]["conv.weight"]["tensor_meta"]["sizes"][0]["as_int"] = 1e300;
  });
  expect_refused("expected an integer", kWeights, [](Json& config) {
    config["config"]["conv.weight"]["tensor_meta"]["sizes"][0]["as_int"] = std::nan("");  // written as null
  });
  expect_refused("the graph declares", kWeights, [](Json& config) {
    config["config"]["conv.weight"]["tensor_meta"]["sizes"][0]["as_int"] = 4;
  });
  expect_refused("negative", kModel, [](Json& program) {
    program["graph_module"]["graph"]["tensor_values"]["p_conv_weight"]["sizes"][0]["as_int"] = -1;
  });
}

TEST_F(Damaged, NanInAParameterIsRefusedByName) {
  auto records = records_of(archive_path("Tied"));
  const auto config = Json::parse(records.at(kWeights))["config"]["first.bias"];
  auto& bytes = records.at("data/weights/" + config["path_name"].get<std::string>());
  const float nan = std::nanf("");
  std::memcpy(bytes.data(), &nan, sizeof(nan));
  expect_refused("'first.bias': contains NaN", records);
}

TEST_F(Damaged, GraphsThatAreNoProgramsAreRefused) {
  const auto nodes = [](Json& program) -> Json& { return program["graph_module"]["graph"]["nodes"]; };
  expect_refused("before it is defined", kModel, [&](Json& program) {
    auto& list = nodes(program);
    std::reverse(list.begin(), list.end());
  });
  expect_refused("'nothing'", kModel, [&](Json& program) {
    for (auto& input : nodes(program)[1]["inputs"])
      if (input["arg"].contains("as_tensor")) input["arg"]["as_tensor"]["name"] = "nothing";
  });
  expect_refused("defined twice", kModel,
                 [&](Json& program) { nodes(program).push_back(nodes(program)[0]); });
  expect_refused("this libtorch has no such operator", kModel,
                 [&](Json& program) { nodes(program)[0]["target"] = "torch.ops.aten.conv9d.default"; });
  expect_refused("quantized operators", kModel,
                 [&](Json& program) { nodes(program)[0]["target"] = "torch.ops.quantized.conv2d.new"; });
  expect_refused("control flow", kModel,
                 [&](Json& program) { nodes(program)[0]["target"] = "torch.ops.higher_order.cond"; });
  expect_refused("it is not a torch operator", kModel,
                 [&](Json& program) { nodes(program)[0]["target"] = "os.system"; });
  expect_refused("has no argument 'power'", kModel,
                 [&](Json& program) { nodes(program)[0]["inputs"][0]["name"] = "power"; });
  expect_refused("is missing", kModel, [&](Json& program) { nodes(program)[0]["inputs"] = Json::array(); });
  expect_refused("results", kModel, [&](Json& program) { nodes(program)[0]["outputs"] = Json::array(); });
  expect_refused("expected a list", kModel, [&](Json& program) { nodes(program) = 5; });
  expect_refused("'graph_module' is missing", kModel, [&](Json& program) { program.erase("graph_module"); });
  expect_refused("schema version", kModel, [&](Json& program) { program["schema_version"]["major"] = 99; });
  expect_refused("tensor 'conv.wait' is missing", kModel, [&](Json& program) {
    for (auto& spec : program["graph_module"]["signature"]["input_specs"])
      if (spec.contains("parameter") && spec["parameter"]["parameter_name"] == "conv.weight")
        spec["parameter"]["parameter_name"] = "conv.wait";
  });
}

TEST_F(Damaged, ErrorsNameCallAndModule) {
  expect_refused("call 'torch.ops.aten.conv9d.default' in module 'conv'", kModel, [](Json& program) {
    for (auto& node : program["graph_module"]["graph"]["nodes"])
      if (node["target"] == "torch.ops.aten.conv2d.default") node["target"] = "torch.ops.aten.conv9d.default";
  });
}

TEST_F(Damaged, ControlFlowAndQuantizedOperatorsAreRefusedByCallAndModule) {
  for (const std::string target : {"torch.ops.higher_order.cond", "torch.ops.higher_order.while_loop",
                                   "torch.ops.higher_order.scan", "torch.ops.quantized.conv2d.new"}) {
    const auto replace = [&](Json& program) {
      for (auto& node : program["graph_module"]["graph"]["nodes"])
        if (node["target"] == "torch.ops.aten.conv2d.default") node["target"] = target;
    };
    expect_refused(("call '" + target + "' in module 'conv'").c_str(), kModel, replace);
    expect_refused(target.find("quantized") == std::string::npos ? "control flow is not supported"
                                                                 : "quantized operators are not supported",
                   kModel, replace);
  }
}

TEST_F(Damaged, TextThatIsNoJsonIsRefused) {
  auto records = records_of(archive_path("Mlp"));
  const auto good = records.at(kModel);
  for (const auto& bad : {std::string(), std::string("{"), std::string("null"), std::string("[1, NaN]"),
                          std::string(100000, '['), good.substr(0, good.size() / 2)}) {
    records[kModel] = bad;
    expect_refused("", records);
  }
}

/// Replaces one value, chosen at random, of a document.
void mutate(Json& document, std::mt19937_64& random) {
  Json* place = &document;
  while (place->is_structured() && !place->empty() && random() % 8 != 0) {
    auto child = place->begin();
    std::advance(child, static_cast<std::ptrdiff_t>(random() % place->size()));
    place = &*child;
  }
  const Json values[] = {nullptr, -1,         0,    int64_t{1} << 62, 1.5,
                         "x",     "Infinity", true, Json::array(),    Json::object()};
  *place = values[random() % std::size(values)];
}

TEST_F(Damaged, NoEditOfTheJsonCrashes) {
  std::mt19937_64 random(13);
  for (const char* archive : {"ConvDynamic", "NoGrad", "Signature"}) {
    const auto records = records_of(archive_path(archive));
    for (int trial = 0; trial < 150; ++trial) {
      auto edited = records;
      auto& content = edited.at(trial % 3 == 0 ? kWeights : kModel);
      auto json = Json::parse(content);
      mutate(json, random);
      content = json.dump();
      write_records(edited, damaged_path());
      try {
        read_pt2(damaged_path());
      } catch (const std::runtime_error&) {
      } catch (const std::invalid_argument&) {
      }
    }
  }
}

}  // namespace
}  // namespace inn
