// ONNX models that are read: what was written comes back, and damaged files are refused. Other programs' models are tested in
// tests/python/test_onnx_read.py.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "inn/core/allocation_limit.h"
#include "inn/network/files.h"
#include "network/archives.h"
#include "network_builder.h"
#include "temporary_folder.h"

namespace inn {
namespace {

using test::NetworkBuilder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// Two convolutions, a norm, a flattening by sizes, a linear layer on three axes.
Network layers() {
  NetworkBuilder b(5);
  int64_t seed = 0;
  const auto parameter = [&](const char* name, std::vector<int64_t> sizes) {
    at::manual_seed(++seed);
    return b.state(name, at::randn(sizes), StateEntry::Kind::parameter);
  };
  auto x = b.input("x", at::randn({2, 3, 8, 8}));
  x = b.call(
      "aten::conv2d", "",
      {x, parameter("stem.weight", {4, 3, 3, 3}), parameter("stem.bias", {4}), {2, 2}, {1, 1}, {1, 1}, 1});
  x = b.call("aten::relu", "", {x});
  x = b.call("aten::flatten", "using_ints", {x, 2, -1});
  x = b.call("aten::linear", "", {x, parameter("mix.weight", {5, 16}), parameter("mix.bias", {5})});
  return b.finish(b.call("aten::softmax", "int", {x, -1, {}}));
}

TEST(ReadOnnx, WhatWasWrittenComesBack) {
  const TemporaryFolder folder;
  const auto network = layers();
  write_onnx(network, folder / "net.onnx");
  const auto read = read_onnx(folder / "net.onnx");
  const auto x = at::randn({2, 3, 8, 8});
  EXPECT_TRUE(at::allclose(read.forward(x), network.forward(x), 1e-5, 1e-6));
  std::vector<std::string> names;
  for (const auto& entry : read.state) {
    names.push_back(entry.name);
    EXPECT_EQ(entry.kind, StateEntry::Kind::parameter);
    EXPECT_TRUE(at::equal(entry.tensor, network.state[network.find_state(entry.name)].tensor));
  }
  EXPECT_THAT(names, ElementsAre("stem.weight", "stem.bias", "mix.weight", "mix.bias"));
}

TEST(ReadOnnx, TruncatedAnywhereIsRefusedOrHarmless) {
  const TemporaryFolder folder;
  write_onnx(layers(), folder / "net.onnx");
  const auto bytes = file_bytes(folder / "net.onnx");
  for (size_t size = 0; size < bytes.size(); size += 1 + size / 20) {
    write_bytes(folder / "cut.onnx", {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)});
    EXPECT_THROW(read_onnx(folder / "cut.onnx"), std::exception) << "at " << size;
  }
}

TEST(ReadOnnx, AFlippedBitIsRefusedOrRead) {
  const TemporaryFolder folder;
  write_onnx(layers(), folder / "net.onnx");
  const auto bytes = file_bytes(folder / "net.onnx");
  std::mt19937_64 random(3);
  int refused = 0;
  for (int trial = 0; trial < 1500; ++trial) {
    auto flipped = bytes;
    // Mostly outside the weights, which are the middle of the file.
    const auto place =
        trial % 2 == 0 ? random() % bytes.size() : random() % std::min<size_t>(600, bytes.size());
    flipped[place] = static_cast<char>(flipped[place] ^ (1 << (random() % 8)));
    write_bytes(folder / "flipped.onnx", flipped);
    try {
      read_onnx(folder / "flipped.onnx");
    } catch (const std::runtime_error& error) {
      EXPECT_THAT(error.what(), HasSubstr("flipped.onnx"));
      ++refused;
    } catch (const std::invalid_argument& error) {
      EXPECT_THAT(error.what(), HasSubstr("flipped.onnx"));
      ++refused;
    }
  }
  EXPECT_GT(refused, 200);
}

TEST(ReadOnnx, FilesThatAreNoneAreRefused) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { read_onnx(folder / "none.onnx"); },
              ThrowsMessage<std::runtime_error>(HasSubstr("there is no such file")));
  EXPECT_THAT([&] { read_onnx(folder.path()); },
              ThrowsMessage<std::runtime_error>(HasSubstr("there is no such file")));
  write_bytes(folder / "text.onnx", std::vector<char>(100, 'x'));
  EXPECT_THROW(read_onnx(folder / "text.onnx"), std::runtime_error);
}

TEST(AllocationLimit, HoldsInItsThreadWhileItLives) {
  const auto megabytes = [](int64_t count) { return at::empty({count << 20}, at::kByte); };
  {
    const AllocationLimit limit(8 << 20);
    megabytes(5);
    EXPECT_THAT([&] { megabytes(5); }, ThrowsMessage<std::runtime_error>(HasSubstr("more than the memory")));
    {
      const AllocationLimit inner(1 << 20);
      EXPECT_THROW(megabytes(2), std::runtime_error);
    }
    megabytes(2);
  }
  megabytes(20);
}

}  // namespace
}  // namespace inn
