#include "inn/core/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <limits>

#include "inn/core/text.h"

namespace inn {
namespace {

TEST(FormatDuration, GivesMinutesAndFromAnHourOnHours) {
  EXPECT_EQ(format_duration(0), "0:00");
  EXPECT_EQ(format_duration(59.6), "1:00");
  EXPECT_EQ(format_duration(754), "12:34");
  EXPECT_EQ(format_duration(3600 + 62), "1:01:02");
  EXPECT_EQ(format_duration(-1), "-:--");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()), "-:--");
}

TEST(ProgressLine, ShowsCountRateAndTimeLeft) {
  EXPECT_EQ(progress_line({"epoch 1/2", 50, 200, 2.0, "images", "loss 0.31"}, 100),
            "epoch 1/2 [======>                 ] 50/200  25 images/s  0:06 left  loss 0.31");
  EXPECT_EQ(progress_line({"", 200, 200, 80.0, "", ""}, 100),
            "[========================] 200/200  2.50/s  0:00 left");
}

TEST(ProgressLine, LeavesOutWhatIsNotKnown) {
  EXPECT_EQ(progress_line({"reading", 3, 0, 0, "", ""}, 80), "reading 3");
  EXPECT_EQ(progress_line({"reading", 0, 4, 1, "", ""}, 80), "reading [>                       ] 0/4");
}

TEST(ProgressLine, FitsTheTerminal) {
  const ProgressState state{"größe", 1, 3, 1, "images", "loss 0.5"};
  for (int64_t columns = 0; columns < 80; ++columns) {
    EXPECT_LE(text_columns(progress_line(state, columns)), columns);
  }
}

/// Until the end of a line or until nothing comes for a second: a terminal gives what was written in parts.
std::string read_line(int descriptor) {
  constexpr int kMilliseconds = 1000;
  std::string text;
  std::array<char, 4096> bytes{};
  pollfd waited{descriptor, POLLIN, 0};
  while (!text.ends_with('\n') && poll(&waited, 1, kMilliseconds) > 0) {
    const auto count = read(descriptor, bytes.data(), bytes.size());
    if (count <= 0) break;
    text.append(bytes.data(), static_cast<size_t>(count));
  }
  return text;
}

TEST(Progress, WritesNothingWhereThereIsNoTerminal) {
  std::array<int, 2> pipe_ends{};
  ASSERT_EQ(pipe2(pipe_ends.data(), O_NONBLOCK), 0);
  {
    Progress progress({.label = "work", .total = 2, .descriptor = pipe_ends[1]});
    EXPECT_FALSE(progress.due());
    progress.advance();
    progress.advance(1, "loss 1");
  }
  EXPECT_EQ(read_line(pipe_ends[0]), "");
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(Progress, DrawsOnATerminalAndEndsTheLine) {
  const int host = posix_openpt(O_RDWR | O_NOCTTY);
  if (host < 0 || grantpt(host) != 0 || unlockpt(host) != 0) GTEST_SKIP() << "no pseudo-terminals here";
  const int terminal = open(ptsname(host), O_RDWR | O_NOCTTY);
  if (terminal < 0) GTEST_SKIP() << "no pseudo-terminals here";
  {
    Progress progress({.label = "work", .total = 3, .descriptor = terminal});
    EXPECT_TRUE(progress.due());
    progress.advance(1, "loss 1");  // drawn: the first
    progress.advance(1, "loss 2");  // within a tenth of a second: not drawn
    progress.advance(1, "loss 3");  // drawn by the end
  }
  const std::string text = read_line(host);
  EXPECT_NE(text.find("work [========>"), std::string::npos) << text;
  EXPECT_NE(text.find("loss 1"), std::string::npos) << text;
  EXPECT_EQ(text.find("loss 2"), std::string::npos) << text;
  EXPECT_NE(text.find("3/3"), std::string::npos) << text;
  EXPECT_NE(text.find("loss 3"), std::string::npos) << text;
  EXPECT_EQ(text.back(), '\n');
  close(terminal);
  close(host);
}

}  // namespace
}  // namespace inn
