#pragma once
// Ctrl-C that lets long work end cleanly.

namespace inn {

/// While one lives, the first Ctrl-C (SIGINT) only makes `interrupted()` true; the second one ends the
/// program as usual.
///
/// Work that takes long asks `interrupted()` between its steps, saves what it has and returns. Guards nest:
/// the outermost one decides. When it ends, the handling that was there before is put back. A process that
/// ignores SIGINT (under nohup) goes on ignoring it. Made and ended on one thread.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

/// Returns whether Ctrl-C came since the outermost living InterruptGuard was made; false where none lives.
/// From any thread.
bool interrupted();

}  // namespace inn
