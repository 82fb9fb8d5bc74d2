#pragma once
// What a command of the program is.

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
  /// Declares its options on the parser; returns what runs once they have been read and gives the exit code.
  std::function<std::function<int()>(CLI::App&)> declare;
};

/// The commands in the order in which --help lists them.
const std::vector<Command>& commands();

Command groups_command();
Command check_command();
Command convert_command();
Command resample_command();
Command compare_command();
Command train_command();
Command tune_command();
Command eval_command();
Command cost_command();
Command operators_command();
Command demo_command();

}  // namespace inn::cli
