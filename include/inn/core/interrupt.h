#pragma once
// Graceful handling of Ctrl-C in long computations.

namespace inn {

/// During its lifetime the first Ctrl-C (SIGINT) only sets `interrupted()`; a second one terminates the
/// program as usual.
///
/// Long computations check `interrupted()` between steps, save their state and return. Guards can be nested:
/// the outermost one counts. Its destructor restores the previous handler. A process that ignores SIGINT
/// (under nohup) continues to ignore it. Construct and destroy it on the same thread.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

/// Returns whether Ctrl-C was pressed since the outermost InterruptGuard was constructed; false if there is
/// none. Thread-safe.
bool interrupted();

}  // namespace inn
