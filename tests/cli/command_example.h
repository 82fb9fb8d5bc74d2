#pragma once
// The command that CONTRIBUTING.md shows.

#include "commands/command.h"

namespace inn::cli {

/// `inn inputs MODEL`.
Command inputs_command();

}  // namespace inn::cli
