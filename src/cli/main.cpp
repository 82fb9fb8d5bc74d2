#include <csignal>

#include "program.h"

int main(int argc, char** argv) {
  // A file that may not grow any more is an error of the write, as a full disk is, and not the end at once.
  std::signal(SIGXFSZ, SIG_IGN);
  return inn::cli::run_program(argc, argv);
}
