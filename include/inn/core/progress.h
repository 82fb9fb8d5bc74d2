#pragma once
// A progress bar for work that takes seconds or hours.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace inn {

/// Called in the course of long work with the number of finished steps, their total, and the current step.
using StepCallback = std::function<void(int64_t done, int64_t all, const std::string& step)>;

/// What a progress bar shows at one moment.
struct ProgressState {
  std::string_view label;  // "epoch 3/30"
  int64_t done = 0;
  int64_t total = 0;  // 0: not known, so neither bar nor time left
  double seconds = 0;
  std::string_view unit;   // "images" gives "5120 images/s"; may be empty
  std::string_view extra;  // "loss 0.31 acc 0.92"
};

/// Returns "label [====>     ] done/total  rate/s  m:ss left  extra", at most `columns` characters long.
///
/// The rate is done/seconds over the whole time. Seconds of 0 give neither rate nor time left. A label or an
/// extra text that is too long is cut at the right, never inside a UTF-8 character.
std::string progress_line(const ProgressState& state, int64_t columns);

/// Returns a duration as "m:ss", from an hour on "h:mm:ss". Rounded to seconds; negative or not finite gives
/// "-:--".
std::string format_duration(double seconds);

/// A progress bar that redraws itself at most ten times a second, and only where `descriptor` is a terminal.
///
/// Elsewhere it writes nothing and costs one branch a call. The destructor draws the last state and ends the
/// line, also while an exception flies. One thread at a time. An advance costs a look at the clock.
class Progress {
 public:
  struct Options {
    std::string label = {};
    int64_t total = 0;
    std::string unit = {};
    int64_t done = 0;  // already done before the start (a resumed run); counts neither for rate nor for time
    int descriptor = 2;  // stderr
  };

  explicit Progress(Options options);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// Counts `count` more as done.
  void advance(int64_t count = 1);
  /// Counts `count` more as done and shows `extra` from now on.
  void advance(int64_t count, std::string_view extra);
  /// Whether the next advance is going to draw: where not, the extra text need not be made.
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
