#include "commands/command.h"

namespace inn::cli {

const std::vector<Command>& commands() {
  static const std::vector<Command> table{
      shrink_command(),   groups_command(),  check_command(),     convert_command(),
      resample_command(), compare_command(), train_command(),     tune_command(),
      eval_command(),     cost_command(),    depth_command(),     export_command(),
      report_command(),   zoo_command(),     operators_command(), demo_command()};
  return table;
}

}  // namespace inn::cli
