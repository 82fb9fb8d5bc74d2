#include "command_example.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "options/run_context.h"

namespace inn::cli {
namespace {

struct InputsOptions {
  RunContext context;
};

int run(const InputsOptions& options) {
  options.context.start();
  const Network network = options.context.open().source().network;
  Json inputs = Json::array();
  for (const auto id : network.inputs)
    inputs.push_back({{"name", network.values[id].name}, {"sizes", network.values[id].sizes}});
  if (options.context.general.json) {
    print({{"inputs", std::move(inputs)}});
    return 0;
  }
  for (const auto& input : inputs)
    std::cout << input["name"].get<std::string>() << " " << input["sizes"].dump() << "\n";
  return 0;
}

}  // namespace

Command inputs_command() {
  return {.name = "inputs",
          .summary = "Lists the inputs of a model",
          .examples = "  inn inputs zoo:lenet\n",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<InputsOptions>();
            options->context.add_model(app);
            options->context.add_options(app, {});
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
