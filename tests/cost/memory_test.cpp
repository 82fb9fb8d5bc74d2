#include "inn/cost/memory.h"

#include <ATen/ATen.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include <random>

#include "inn/cost/cost.h"
#include "network_builder.h"

namespace inn {
namespace {

using test::NetworkBuilder;

constexpr int64_t kDouble = sizeof(double);

int64_t peak_of(const Network& network) { return peak_memory(network, example_inputs(network)).bytes; }

/// x [2,3] → linear [2,8] → relu in place → transposed (a view) → cat with itself [16,2] → sum.
TEST(PeakMemory, IsTheClosedFormOfAHandWrittenNetwork) {
  NetworkBuilder b;
  auto h = b.call("aten::linear", "", {b.input("x", {2, 3}), b.parameter("weight", {8, 3})});
  h = b.call("aten::t", "", {b.call("aten::relu_", "", {h})});
  const auto both = b.call("aten::cat", "", {std::vector<ValueRef>{h, h}, 0});
  Network network = b.finish(b.call("aten::sum", "", {both}));
  // x is not read after the linear layer, the view and the relu are the layer's own storage.
  EXPECT_EQ(peak_of(network), (16 + 32) * kDouble);
  EXPECT_EQ(peak_memory(network, example_inputs(network)).call, network.values[both.id].name);
  network.calls[3].module = "body.join";
  EXPECT_EQ(cost_of(network, example_inputs(network)).peak_memory.call, "body.join");
}

TEST(PeakMemory, HoldsAnInputUntilItsLastUseAndAnOutputToTheEnd) {
  NetworkBuilder b;
  const auto x = b.input("x", {5, 20});
  const auto y = b.call("aten::relu", "", {x});          // x, y
  const auto z = b.call("aten::add", "Tensor", {y, x});  // x, y, z
  Network network = b.finish(b.call("aten::sum", "", {z}));
  EXPECT_EQ(peak_of(network), 3 * 100 * kDouble);
  network.outputs.insert(network.outputs.begin(), {Argument(y), Argument(x)});
  EXPECT_EQ(peak_of(network), (3 * 100 + 1) * kDouble);
}

TEST(PeakMemory, CountsNeitherTheStateNorViewsOfItNorUnreadInputsForLong) {
  NetworkBuilder b;
  const auto x = b.input("x", {2, 3});
  b.input("unread", {2, 1});
  const auto weight = b.call("aten::t", "", {b.parameter("weight", {3, 9})});
  const auto h = b.call("aten::mm", "", {b.call("aten::mm", "", {x, b.parameter("first", {3, 9})}), weight});
  const auto y = b.call("aten::expand", "", {b.call("aten::sum", "dim_IntList", {h, {1}, true}), {2, 1000}});
  EXPECT_EQ(peak_of(b.finish(y)), (18 + 6) * kDouble);
}

/// What torch's own allocator gives out and takes back on this thread.
class AllocatedBytes : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t size, size_t, size_t, c10::Device) override {
    live_ += size;
    peak = std::max(peak, live_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t peak = 0;

 private:
  int64_t live_ = 0;
};

/// A chain that begins with a layer on a small input, so that the input, which the run does not allocate, is
/// gone before the peak; then operators without memory of their own, on random earlier tensors.
Network random_network(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto draw = [&](size_t count) { return static_cast<size_t>(random() % count); };
  NetworkBuilder b(seed);
  std::vector<ValueRef> made{b.call("aten::linear", "", {b.input("x", {8, 1}), b.parameter("w", {8, 1})})};
  for (int k = 0; k < 25; ++k) {
    const auto one = made[made.size() - 1 - draw(std::min<size_t>(4, made.size()))],
               two = made[draw(made.size())];
    switch (draw(6)) {
      case 0:
        made.push_back(b.call("aten::tanh", "", {one}));
        break;
      case 1:
        made.push_back(b.call("aten::t", "", {one}));
        break;
      case 2:
        made.push_back(b.call("aten::mm", "", {one, two}));
        break;
      case 3:
        made.push_back(b.call("aten::mul", "Tensor", {one, two}));
        break;
      case 4:
        made.push_back(b.call("aten::relu_", "", {b.call("aten::tanh", "", {one})}));
        break;
      default:
        made.push_back(b.call("aten::select", "int",
                              {b.call("aten::stack", "", {std::vector<ValueRef>{one, two}}), 0, 1}));
    }
  }
  return b.finish(made.back());
}

TEST(PeakMemory, IsWhatTheAllocatorGivesOutInTheRun) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    const Network network = random_network(seed);
    const auto inputs = example_inputs(network);
    const auto state = network.tensors();
    network.forward(inputs);  // what is allocated once
    const auto allocated = std::make_shared<AllocatedBytes>();
    {
      const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, allocated);
      network.forward(inputs, state, {});
    }
    EXPECT_EQ(peak_of(network), allocated->peak);
  }
}

}  // namespace
}  // namespace inn
