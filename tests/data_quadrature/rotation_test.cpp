// Residual streams rotated into principal axes.

#include "inn/data_quadrature/rotation.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "network_builder.h"

namespace inn {
namespace {

using test::NetworkBuilder;

constexpr double kRounding = 1e-6;
constexpr int64_t kWords = 11, kChannels = 6;
constexpr double kEpsilon = 1e-12;

enum class Norm { call, written_out, layer_norm };

struct Decoder {
  Norm norm = Norm::call;
  bool is_tied = false;
  bool has_activation_on_stream = false;
  bool has_number_added = false;
  int64_t rank = kChannels;  // of what is written to the stream
};

at::Tensor low_rank(int64_t rows, const at::Tensor& basis) {
  return at::mm(at::randn({rows, basis.size(0)}, at::kDouble), basis);
}

/// embedding → two blocks, each added to the stream behind a norm → norm → head.
Network decoder(const Decoder& how) {
  NetworkBuilder b(3);
  at::manual_seed(4);
  const auto parameter = StateEntry::Kind::parameter;
  const at::Tensor basis = at::randn({how.rank, kChannels}, at::kDouble);
  const auto tokens = b.input("tokens", at::arange(10).view({2, 5}) % kWords);
  const auto table = b.state("embed.weight", low_rank(kWords, basis), parameter);
  auto stream = b.call("aten::embedding", "", {table, tokens});
  const auto norm = [&](const std::string& name, ValueRef x) {
    const auto gain = b.state(name + ".weight", at::rand({kChannels}, at::kDouble) + 0.5, parameter);
    if (how.norm == Norm::layer_norm) return b.call("aten::layer_norm", "", {x, {kChannels}, gain});
    if (how.norm == Norm::call) return b.call("aten::rms_norm", "", {x, {kChannels}, gain, kEpsilon});
    auto mean = b.call("aten::mean", "dim", {b.call("aten::pow", "Tensor_Scalar", {x, 2}), {-1}, true});
    mean = b.call("aten::rsqrt", "", {b.call("aten::add", "Scalar", {mean, kEpsilon})});
    return b.call("aten::mul", "Tensor", {gain, b.call("aten::mul", "Tensor", {x, mean})});
  };
  for (const std::string name : {"first", "second"}) {
    auto x = norm(name + ".norm", stream);
    x = b.call("aten::linear", "", {x, b.parameter(name + ".up.weight", {9, kChannels})});
    x = b.call("aten::silu", "", {x});
    const auto down = b.state(name + ".down.weight", low_rank(9, basis).t().contiguous(), parameter);
    x = b.call("aten::linear", "", {x, down});
    if (how.has_activation_on_stream) x = b.call("aten::relu", "", {x});
    if (how.has_number_added) x = b.call("aten::add", "Scalar", {x, 1.0});
    stream = b.call("aten::add", "Tensor", {stream, x});
  }
  const auto last = norm("norm", stream);
  const auto head = how.is_tied ? table : b.parameter("head.weight", {kWords, kChannels});
  return b.finish(b.call("aten::linear", "", {last, head}));
}

Calibration sentences() {
  return {.batch = [](int64_t index) -> std::optional<CalibrationBatch> {
    if (index >= 8) return std::nullopt;
    at::manual_seed(static_cast<uint64_t>(20 + index));
    return CalibrationBatch{{at::randint(kWords, {2, 5}, at::kLong)}};
  }};
}

GroupId stream_of(const AnalysedNetwork& source) {
  for (GroupId id = 0; id < source.groups.groups.size(); ++id)
    for (const auto& member : source.groups.groups[id].members)
      if (member.tensor == "embed.weight" && member.axis == 1) return id;
  throw std::logic_error("embed.weight");
}

/// Between the source and its stream rotated and cut to `width`.
double change_of_outputs(const Decoder& how, int64_t width) {
  const auto source = analyse(decoder(how));
  const auto rotation = rotate_streams(source, {{stream_of(source), width}}, sentences());
  const Network made = resample(rotation.source, rotation.maps);
  const auto tokens = at::arange(3, 18).view({3, 5}) % kWords;
  const auto expected = source.network.forward(tokens);
  return ((made.forward(tokens) - expected).abs().max() / expected.abs().max()).item<double>();
}

std::string refusal(const Decoder& how) {
  const auto source = analyse(decoder(how));
  try {
    rotate_streams(source, {{stream_of(source), kChannels - 1}}, sentences());
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(Rotation, KeepsTheFunctionWhereAllChannelsAreKept) {
  for (const auto norm : {Norm::call, Norm::written_out})
    for (const bool is_tied : {false, true})
      EXPECT_LT(change_of_outputs({.norm = norm, .is_tied = is_tied}, kChannels), kRounding) << is_tied;
}

TEST(Rotation, IsExactWhereTheStreamHasNoMoreDimensionsThanAreKept) {
  for (const auto norm : {Norm::call, Norm::written_out}) {
    EXPECT_LT(change_of_outputs({.norm = norm, .rank = 3}, 3), kRounding);
    EXPECT_GT(change_of_outputs({.norm = norm, .rank = 3}, 2), kRounding);
  }
}

TEST(Rotation, TellsTheShareThatIsCut) {
  const auto source = analyse(decoder({.rank = 3}));
  const auto id = stream_of(source);
  EXPECT_LT(rotate_streams(source, {{id, 3}}, sentences()).errors.at(id), kRounding);
  EXPECT_GT(rotate_streams(source, {{id, 2}}, sentences()).errors.at(id), 1e-3);
}

TEST(Rotation, UntiesAnEmbeddingAndSaysSo) {
  const auto source = analyse(decoder({.is_tied = true}));
  const auto rotation = rotate_streams(source, {{stream_of(source), 4}}, sentences());
  EXPECT_THAT(rotation.source.groups.notes,
              testing::Contains(testing::HasSubstr("no longer tied to 'embed.weight'")));
  EXPECT_EQ(rotation.source.network.state.size(), source.network.state.size() + 1);
}

TEST(Rotation, RefusesByNameWhatDoesNotCommuteWithIt) {
  EXPECT_THAT(refusal({.norm = Norm::layer_norm}),
              testing::HasSubstr("'embed:1': cannot be rotated: aten::layer_norm"));
  EXPECT_THAT(refusal({.has_activation_on_stream = true}), testing::HasSubstr("aten::relu"));
  EXPECT_THAT(refusal({.has_number_added = true}), testing::HasSubstr("aten::add does not commute"));
  const auto source = analyse(decoder({}));
  EXPECT_THROW(rotate_streams(source, {{stream_of(source), kChannels + 1}}, sentences()),
               std::invalid_argument);
  EXPECT_THROW(rotate_streams(source, {{stream_of(source), 0}}, sentences()), std::invalid_argument);
}

}  // namespace
}  // namespace inn
