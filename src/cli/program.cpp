#include "program.h"

#include <c10/util/Exception.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <new>

#include "commands/command.h"
#include "inn/core/error.h"
#include "options/usage_error.h"
#include "process_group.h"
#include "run_record.h"

namespace inn::cli {
namespace {

constexpr int kSuccess = 0, kFailed = 1, kWrongUsage = 2;

int fail(int code, const std::string& message) {
  std::cerr << "inn: " << message.substr(0, message.find('\n')) << '\n';
  return code;
}

void refuse_unknown_command(int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> names;
  for (const auto& command : commands()) {
    if (command.name == argv[1]) return;
    names.push_back(command.name);
  }
  raise<UsageError>("cli", "Command '{}': no such command.{}", argv[1], nearest_names(argv[1], names));
}

/// Prints "  groups     Lists …", a line for each command.
void print_commands() {
  size_t widest = 0;
  for (const auto& command : commands()) widest = std::max(widest, command.name.size());
  std::cout << "Usage: inn COMMAND …   ('inn COMMAND --help' shows options and examples)\n\n";
  for (const auto& command : commands())
    std::cout << fmt::format("  {:<{}}  {}\n", command.name, widest, command.summary);
}

int parse_and_run(int argc, const char* const* argv) {
  if (argc < 2) {
    print_commands();
    return kSuccess;
  }
  CLI::App app("Integral neural networks: one set of trained weights, ordinary networks of any width.",
               "inn");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(INN_VERSION));
  app.footer(
      "MODEL is a .pt2 (network or integral model), an .onnx, a TorchScript .pt, zoo:NAME, zoo:NAME:WIDTH "
      "with a fraction of its widths,\nor a trained zoo:NAME@DATA (inn zoo). 'inn COMMAND --help' shows the "
      "options and examples of a command.");
  std::function<int()> chosen;
  bool joins = false;
  for (const auto& command : commands()) {
    CLI::App* declared = app.add_subcommand(command.name, command.summary);
    declared->footer("Examples:\n" + command.examples);
    declared->callback([&chosen, &joins, &command, run = command.declare(*declared)] {
      chosen = run;
      joins = command.distributed;
    });
  }
  try {
    refuse_unknown_command(argc, argv);
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    return fail(kWrongUsage, fmt::format("[cli] {} (see 'inn --help')", error.what()));
  }
  std::optional<ProcessGroup> group;
  if (joins) group.emplace();
  const int code = chosen();
  std::cout.flush();
  require<std::runtime_error>(std::cout.good(), "cli", "Cannot write to stdout.");
  return code;
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  begin_run(argc, argv);
  try {
    return parse_and_run(argc, argv);
  } catch (const UsageError& error) {
    return fail(kWrongUsage, error.what());
  } catch (const c10::Error& error) {
    return fail(kFailed, std::string("[torch] ") + error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return fail(kFailed, "[cli] Out of memory.");
  } catch (const std::exception& error) {
    return fail(kFailed, error.what());
  }
}

}  // namespace inn::cli
