#pragma once
// The program `inn` as a function.

namespace inn::cli {

/// Reads the command line, runs the command that it names and returns the exit code: 0 on success, 1 on a
/// failed run, 2 on wrong usage. An error is one line on stderr.
int run_program(int argc, const char* const* argv);

}  // namespace inn::cli
