// The index of values, against searches through the calls.

#include "inn/network/value_uses.h"

#include <gtest/gtest.h>

#include "inn/network/linear_call.h"
#include "network_builder.h"

namespace inn {
namespace {

using test::NetworkBuilder;

/// Two layers that share a weight, one of them transposed first; a sum of one value with itself.
Network shared_weight() {
  NetworkBuilder b(3);
  const auto x = b.input("x", {3, 4});
  const auto shared = b.parameter("shared", {4, 4}), own = b.parameter("own", {4, 5});
  const auto first = b.call("aten::linear", "", {x, shared, {}});
  const auto turned = b.call("aten::t", "", {shared});
  const auto second = b.call("aten::mm", "", {first, turned});
  const auto sum = b.call("aten::add", "Tensor", {second, second, 1});
  return b.finish(b.call("aten::mm", "", {sum, own}));
}

TEST(ValueUses, IsWhatASearchThroughTheCallsFinds) {
  const Network network = shared_weight();
  const ValueUses uses(network);
  for (size_t v = 0; v < network.values.size(); ++v) {
    const auto value = static_cast<ValueId>(v);
    std::vector<size_t> readers;
    std::optional<size_t> producer;
    for (size_t c = 0; c < network.calls.size(); ++c) {
      for (const auto& argument : network.calls[c].arguments)
        argument.for_each_value([&](ValueId id) {
          if (id == value) readers.push_back(c);
        });
      for (const auto& result : network.calls[c].results)
        for (const auto id : result.values)
          if (id == value) producer = c;
    }
    bool is_output = false;
    for (const auto& output : network.outputs)
      output.for_each_value([&](ValueId id) { is_output = is_output || id == value; });
    EXPECT_EQ(uses.readers(value), readers) << v;
    EXPECT_EQ(uses.producer(value), producer) << v;
    EXPECT_EQ(uses.is_output(value), is_output) << v;
    EXPECT_EQ(uses.state_of(value), network.state_of(value)) << v;
  }
}

TEST(LinearCalls, AreThoseOfEachCallByItself) {
  const Network network = shared_weight();
  const auto calls = linear_calls(network);
  ASSERT_EQ(calls.size(), network.calls.size());
  for (size_t c = 0; c < calls.size(); ++c) EXPECT_EQ(calls[c].index(), linear_call(network, c).index()) << c;
  EXPECT_EQ(std::get<std::string>(calls[0]), "'shared' is used by 2 calls");
  EXPECT_EQ(std::get<std::string>(calls[2]), "'shared' is used by 2 calls");
  const auto& last = std::get<LinearCall>(calls[4]);
  EXPECT_EQ(network.state[last.weight].name, "own");
  EXPECT_TRUE(last.input_first);
}

}  // namespace
}  // namespace inn
