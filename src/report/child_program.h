#pragma once
// Child processes for drawing: gnuplot, Graphviz.

#include <string>
#include <vector>

namespace inn {

/// A program and the message if it is missing.
struct ChildProgram {
  std::vector<std::string> arguments;  // the first is its name, looked for on the path
  std::string purpose;                 // "A plot"
  std::string package;                 // the Debian package
};

/// Returns the program's standard output for `input` as standard input. No shell is used.
///
/// Throws std::runtime_error if it is missing (naming the Debian package), cannot be started, fails or writes
/// nothing (with its standard error).
std::string run_child(const ChildProgram& program, const std::string& input);

}  // namespace inn
