#pragma once
// A progress bar.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace inn {

/// Progress callback: the number of finished steps, their total, and the current step.
using StepCallback = std::function<void(int64_t done, int64_t all, const std::string& step)>;

/// What a progress bar shows at one moment.
struct ProgressState {
  std::string_view label;  // "epoch 3/30"
  int64_t done = 0;
  int64_t total = 0;  // 0: unknown, so no bar and no remaining time
  double seconds = 0;
  std::string_view unit;   // "images" gives "5120 images/s"; may be empty
  std::string_view extra;  // "loss 0.31 acc 0.92"
};

/// Returns "label [====>     ] done/total  rate/s  m:ss left  extra", at most `columns` characters long.
///
/// The rate is done/seconds over the whole time; with 0 seconds there is no rate and no remaining time. A
/// label or extra text that is too long is truncated, never inside a UTF-8 character.
std::string progress_line(const ProgressState& state, int64_t columns);

/// Returns a duration as "m:ss", from an hour on "h:mm:ss". Rounded to seconds; negative or not finite gives
/// "-:--".
std::string format_duration(double seconds);

/// A progress bar that redraws at most ten times per second, and only if `descriptor` is a terminal.
///
/// Otherwise it writes nothing. The destructor draws the last state and ends the line, also during stack
/// unwinding. Not thread-safe.
class Progress {
 public:
  struct Options {
    std::string label = {};
    int64_t total = 0;
    std::string unit = {};
    int64_t done = 0;    // finished before the start (a resumed run); not counted in the rate
    int descriptor = 2;  // stderr
  };

  explicit Progress(Options options);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// Adds `count` finished steps.
  void advance(int64_t count = 1);
  /// Adds `count` finished steps and shows `extra`.
  void advance(int64_t count, std::string_view extra);
  /// Whether the next advance will redraw; if not, the extra text need not be formatted.
  bool due() const;

 private:
  void draw();

  Options options_;
  bool shown_;
  std::string extra_;
  int64_t done_ = 0;
  std::chrono::steady_clock::time_point start_, drawn_;
};

}  // namespace inn
