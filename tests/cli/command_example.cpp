#include "command_example.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "inn/core/error.h"
#include "options/general.h"
#include "options/model_source.h"

namespace inn::cli {
namespace {

struct InputsOptions {
  GeneralOptions general;
  ModelOptions model;
};

int run(const InputsOptions& options) {
  start(options.general);
  const Network network = read_model(options.model, options.general.seed).source().network;
  Json inputs = Json::array();
  for (const auto id : network.inputs)
    inputs.push_back({{"name", network.values[id].name}, {"sizes", network.values[id].sizes}});
  if (options.general.json) {
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
            add_general_options(app, options->general);
            add_model_options(app, options->model);
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
