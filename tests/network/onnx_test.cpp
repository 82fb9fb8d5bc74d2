// ONNX models as files: their wire format, read back field by field, and weights beside them. That other programs run them
// is tested in tests/python/test_onnx.py.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <protozero/pbf_reader.hpp>
#include <sstream>

#include "inn/network/files.h"
#include "network_builder.h"
#include "onnx/model.h"
#include "onnx/write/rules.h"
#include "temporary_folder.h"

namespace inn {
namespace {

using test::NetworkBuilder;

/// The fields with this number of a message.
std::vector<std::string> fields(const std::string& message, protozero::pbf_tag_type tag) {
  std::vector<std::string> found;
  protozero::pbf_reader reader(message);
  while (reader.next()) {
    if (reader.tag() == tag && reader.wire_type() == protozero::pbf_wire_type::length_delimited)
      found.push_back(reader.get_string());
    else
      reader.skip();
  }
  return found;
}

Network two_layers() {
  NetworkBuilder b(3);
  auto x = b.input("x", {2, 3});
  x = b.call("aten::relu", "", {b.call("aten::linear", "", {x, b.parameter("first.weight", {4, 3})})});
  return b.finish(
      b.call("aten::linear", "", {x, b.parameter("second.weight", {1, 4}), b.parameter("second.bias", {1})}));
}

std::string content(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST(Onnx, WritesNodesWeightsAndSizes) {
  const TemporaryFolder folder;
  const auto network = two_layers();
  write_onnx(network, folder / "net.onnx");
  const auto graph = fields(content(folder / "net.onnx"), 7).at(0);
  std::vector<std::string> operators, weights;
  for (const auto& node : fields(graph, 1)) operators.push_back(fields(node, 4).at(0));
  for (const auto& tensor : fields(graph, 5)) weights.push_back(fields(tensor, 8).at(0));
  EXPECT_THAT(operators, testing::ElementsAre("Gemm", "Relu", "Gemm"));
  EXPECT_THAT(weights, testing::ElementsAre("first.weight", "second.weight", "second.bias"));
  const auto raw = fields(fields(graph, 5).at(0), 9).at(0);
  const auto& tensor = network.state[0].tensor;
  ASSERT_EQ(raw.size(), tensor.nbytes());
  EXPECT_EQ(std::memcmp(raw.data(), tensor.const_data_ptr(), raw.size()), 0);
}

TEST(Onnx, KeepsWeightsInASecondFileWhereAsked) {
  const auto large = at::arange(1000, at::kFloat), small = at::arange(3, at::kFloat);
  onnx::Model model;
  model.nodes.push_back({"Add", {"large", "small"}, {"y"}, {}});
  model.initializers = {{"large", large}, {"small", small}, {"other", large + 1}};
  std::ostringstream stream, weights;
  onnx::write_model(model, stream, &weights, "net.onnx.data");
  const auto tensors = fields(fields(stream.str(), 7).at(0), 5);
  std::map<std::string, std::string> places;
  for (const auto& entry : fields(tensors.at(2), 13)) places[fields(entry, 1).at(0)] = fields(entry, 2).at(0);
  EXPECT_EQ(places["location"], "net.onnx.data");
  const auto offset = std::stoul(places["offset"]);
  EXPECT_EQ(offset % 4096, 0);
  ASSERT_EQ(std::stoul(places["length"]), large.nbytes());
  EXPECT_EQ(std::memcmp(weights.str().data() + offset, (large + 1).const_data_ptr(), large.nbytes()), 0);
  EXPECT_EQ(fields(tensors.at(1), 9).at(0).size(), small.nbytes());  // within the model
  EXPECT_TRUE(fields(tensors.at(0), 9).empty());
}

TEST(Onnx, FoldsWhatIsComputedFromSizesAlone) {
  const TemporaryFolder folder;
  NetworkBuilder b(3);
  const auto x = b.input("x", {2, 3});
  const auto mask = b.call("aten::mul", "Scalar", {b.call("aten::arange", "", {3}), 2});
  write_onnx(b.finish(b.call("aten::add", "Tensor", {x, mask})), folder / "net.onnx");
  const auto graph = fields(content(folder / "net.onnx"), 7).at(0);
  std::vector<std::string> operators;
  for (const auto& node : fields(graph, 1)) operators.push_back(fields(node, 4).at(0));
  EXPECT_THAT(operators, testing::ElementsAre("Cast", "Add"));
}

TEST(Onnx, RefusesWhatItCannotWriteAndLeavesNoFile) {
  const TemporaryFolder folder;
  NetworkBuilder b(3);
  const auto network = b.finish(b.call("aten::special_erfcx", "", {b.input("x", {2, 3})}));
  try {
    write_onnx(network, folder / "net.onnx");
    ADD_FAILURE() << "an operator without a rule was written";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("ONNX: operator aten::special_erfcx in module"));
  }
  EXPECT_THROW(write_onnx(two_layers(), folder / "net.onnx", {.opset = 17}), std::invalid_argument);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace inn
