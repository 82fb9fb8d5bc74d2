#include "inn/core/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "inn/core/text.h"

namespace inn {
namespace {

constexpr auto kRedrawInterval = std::chrono::milliseconds(100);
constexpr int64_t kBarColumns = 24;
constexpr int64_t kDefaultColumns = 80;

std::string bar(double fraction) {
  const auto filled = static_cast<int64_t>(std::clamp(fraction, 0.0, 1.0) * kBarColumns);
  std::string text(static_cast<size_t>(kBarColumns), ' ');
  std::fill_n(text.begin(), filled, '=');
  if (filled < kBarColumns) text[static_cast<size_t>(filled)] = '>';
  return "[" + text + "]";
}

int64_t terminal_columns(int descriptor) {
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kDefaultColumns;
}

}  // namespace

std::string format_duration(double seconds) {
  constexpr double kLongest = 1e9;
  if (!std::isfinite(seconds) || seconds < 0 || seconds > kLongest) return "-:--";
  const auto whole = std::llround(seconds);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string progress_line(const ProgressState& state, int64_t columns) {
  std::string line(state.label);
  const auto add = [&](std::string_view gap, std::string_view text) {
    if (!line.empty()) line += gap;
    line += text;
  };
  if (state.total > 0) {
    add(" ", bar(static_cast<double>(state.done) / static_cast<double>(state.total)));
    add(" ", fmt::format("{}/{}", state.done, state.total));
  } else {
    add(" ", fmt::format("{}", state.done));
  }
  if (state.seconds > 0 && state.done > 0) {
    const double rate = static_cast<double>(state.done) / state.seconds;
    const std::string_view gap = state.unit.empty() ? "" : " ";
    add("  ", fmt::format("{:.{}f}{}{}/s", rate, rate < 10 ? 2 : 0, gap, state.unit));
    if (state.total > 0) {
      add("  ", format_duration(static_cast<double>(state.total - state.done) / rate) + " left");
    }
  }
  if (!state.extra.empty()) add("  ", state.extra);
  return cut_to_columns(line, columns);
}

Progress::Progress(Options options)
    : options_(std::move(options)),
      shown_(isatty(options_.descriptor) == 1),
      done_(options_.done),
      start_(std::chrono::steady_clock::now()),
      drawn_(start_ - kRedrawInterval) {}

Progress::~Progress() {
  if (!shown_) return;
  try {
    draw();
    [[maybe_unused]] const auto written = write(options_.descriptor, "\n", 1);
  } catch (...) {  // out of memory: a bar is not worth the end of the program
  }
}

bool Progress::due() const { return shown_ && std::chrono::steady_clock::now() - drawn_ >= kRedrawInterval; }

void Progress::advance(int64_t count) {
  done_ += count;
  if (due()) draw();
}

void Progress::advance(int64_t count, std::string_view extra) {
  if (!shown_) return;
  extra_ = extra;
  advance(count);
}

void Progress::draw() {
  drawn_ = std::chrono::steady_clock::now();
  const std::chrono::duration<double> elapsed = drawn_ - start_;
  // What was done before the start is left out of the rate by giving its share of time to it.
  const int64_t fresh = done_ - options_.done;
  const double seconds =
      fresh > 0 ? elapsed.count() * static_cast<double>(done_) / static_cast<double>(fresh) : 0;
  const std::string text =
      progress_line({options_.label, done_, options_.total, seconds, options_.unit, extra_},
                    terminal_columns(options_.descriptor) - 1);
  const std::string out = "\r" + text + "\x1b[K";  // erases what a longer line left
  [[maybe_unused]] const auto written = write(options_.descriptor, out.data(), out.size());
}

}  // namespace inn
