#pragma once
// Programs that draw: gnuplot, Graphviz.

#include <string>
#include <vector>

namespace inn {

/// A program and what a user is told where it is missing.
struct ChildProgram {
  std::vector<std::string> arguments;  // the first is its name, looked for on the path
  std::string purpose;                 // "A plot"
  std::string package;                 // Debian's, which has it
};

/// Returns what the program writes to its standard output, with `input` as its standard input. No shell.
///
/// Throws std::runtime_error where it is missing ("A plot needs the program gnuplot, which is missing; on
/// Debian: apt install gnuplot-nox"), can't be started, fails or writes nothing (with what it wrote to its
/// standard error).
std::string run_child(const ChildProgram& program, const std::string& input);

}  // namespace inn
