#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "commands/command.h"
#include "inn/model/batch_norm.h"
#include "inn/report/table.h"
#include "options/run_context.h"
#include "output.h"

namespace inn::cli {
namespace {

struct ExportArguments {
  RunContext context;
  std::filesystem::path output;
  int64_t opset = WriteOnnxOptions().opset;
  bool fold_batch_norm = false, dynamic_batch = false;
};

int run(const ExportArguments& options) {
  options.context.start();
  check_network_output(options.output);
  Network network = options.context.open().present();
  network.set_training(false);
  if (options.fold_batch_norm) network = fold_batch_norm(network);
  write_network(network, options.output, options.dynamic_batch, {.opset = options.opset});
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(options.output));
  if (options.context.general.json)
    print({{"output", options.output.string()}, {"bytes", bytes}});
  else
    std::cout << fmt::format("Wrote {}: {}B.\n", options.output.string(), format_count(bytes));
  return 0;
}

}  // namespace

Command export_command() {
  return {.name = "export",
          .summary = "Writes a network as ONNX, as a .pt2 or as TorchScript",
          .examples =
              "  inn export resnet20.pt2 -o resnet20.onnx --fold-batch-norm\n"
              "  inn export zoo:resnet18 -o resnet18.onnx --dynamic-batch --opset 18\n"
              "  inn export integral.pt2 -o present.pt2",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<ExportArguments>();
            options->context.add_model(app);
            add_output_option(app, options->output);
            app.add_option("--opset", options->opset, "Version of ONNX's operators, 18 to 23")
                ->capture_default_str()
                ->check(CLI::Range(int64_t{18}, int64_t{23}));
            app.add_flag("--fold-batch-norm", options->fold_batch_norm,
                         "Fold each batch norm into the preceding convolution or linear layer");
            add_dynamic_batch_option(app, options->dynamic_batch);
            options->context.add_options(app, {});
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
