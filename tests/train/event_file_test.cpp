// Events in files, against bytes that TensorBoard's own writer gave: tensorboard 2.21.0,
// tensorboard.summary.writer.record_writer.RecordWriter on tensorboard.compat.proto.event_pb2.Event.

#include "event_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "small_task.h"

namespace inn {
namespace {

std::string hexadecimal(const std::string& bytes) {
  std::string digits;
  for (const char byte : bytes) digits += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return digits;
}

TEST(EventFile, BeginsAsTensorBoardsOwn) {
  EXPECT_EQ(hexadecimal(event_file_start(1700000000.25)),
            "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9");
}

TEST(EventFile, HoldsAnEpochAsTensorBoardsOwnWould) {
  const EpochRecord record{.epoch = 2,
                           .loss = 1.5,
                           .accuracy = 0.75,
                           .learning_rate = 0.05,
                           .seconds = 12.25,
                           .metric = std::nullopt,
                           .time = 1700000012.5};
  EXPECT_EQ(
      hexadecimal(event_record(record)),
      "51000000000000009ca1d9bc0900002043fc54d94110032a440a0b0a046c6f7373150000c03f0a0f0a08616363757261637"
      "9150000403f0a140a0d6c6561726e696e675f7261746515cdcc4c3d0a0e0a077365636f6e64731500004441ae530a41");
}

/// A run that goes on has every epoch once.
TEST(EventFile, OfAResumedRunHoldsEveryEpochOnce) {
  const TemporaryFolder folder;
  auto options = quick(3);
  options.checkpoint = folder / "run.ckpt";
  options.tensorboard = folder / "logs";
  const auto data = stripes(32, 1);
  const auto trained = [&] {
    NetworkModuleImpl model(small_network());
    return train(model, data, kNormalization, options);
  };
  const auto whole = trained();
  options.resume = true;
  const auto again = trained();
  ASSERT_EQ(again.epochs.size(), 3U);
  std::string expected = event_file_start(whole.epochs.front().time);
  for (const auto& record : whole.epochs) expected += event_record(record);
  std::ifstream file(options.tensorboard / kEventFile, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), expected);
}

}  // namespace
}  // namespace inn
