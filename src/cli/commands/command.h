#pragma once
// The commands of the program.

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace inn::cli {

/// One command of the program.
struct Command {
  std::string name;      // "groups"
  std::string summary;   // one line
  std::string examples;  // lines that --help shows
  /// Declares its options on the parser and returns the function to run after parsing, which returns the exit
  /// code.
  std::function<std::function<int()>(CLI::App&)> declare;
  /// Whether processes that torchrun starts share its work.
  bool distributed = false;
};

/// The commands in the order in which --help lists them.
const std::vector<Command>& commands();

Command groups_command();
Command check_command();
Command convert_command();
Command shrink_command();
Command resample_command();
Command compare_command();
Command train_command();
Command depth_command();
Command tune_command();
Command eval_command();
Command cost_command();
Command export_command();
Command report_command();
Command operators_command();
Command zoo_command();
Command demo_command();

}  // namespace inn::cli
