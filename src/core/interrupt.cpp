#include "inn/core/interrupt.h"

#include <signal.h>

#include <atomic>

namespace inn {
namespace {

std::atomic<bool> caught{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch what needs no lock");
int guards = 0;
bool installed = false;
struct sigaction previous {};

void on_interrupt(int) { caught = true; }

}  // namespace

InterruptGuard::InterruptGuard() {
  if (guards++ > 0) return;
  caught = false;
  installed = false;
  if (sigaction(SIGINT, nullptr, &previous) != 0 || previous.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  installed = sigaction(SIGINT, &action, nullptr) == 0;
}

InterruptGuard::~InterruptGuard() {
  if (--guards > 0) return;
  if (installed) sigaction(SIGINT, &previous, nullptr);
  caught = false;
}

bool interrupted() { return caught; }

}  // namespace inn
