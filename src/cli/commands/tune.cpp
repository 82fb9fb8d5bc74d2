#include <CLI/CLI.hpp>
#include <iostream>

#include "commands/command.h"
#include "inn/methods/convert_on.h"
#include "inn/methods/model_widths.h"
#include "options/conversion.h"
#include "options/run_context.h"
#include "options/training.h"
#include "options/width_choice.h"
#include "output.h"

namespace inn::cli {
namespace {

struct TuneArguments {
  RunContext context;
  ConversionOptions conversion;
  WidthChoice widths;
  TrainingOptions training;
  bool weights = false;
  std::filesystem::path output;
};

int run(const TuneArguments& options) {
  const auto device = options.context.start();
  check(options.widths);
  check_integral_output(options.output);
  TrainOptions recipe = recipe_of(options.training, options.output, options.context.general.seed);
  const auto conversion = convert_options(options.conversion, options.context.general.seed);

  const SkippedReport skipped(options.context.images);
  Dataset data = open_data(options.training.data, Split::train, options.context.images);
  choose_loss(options.training, data, recipe);
  auto [model, normalization] = options.context.open_for(&data, ZooSize::of_data);
  fit_images(data, model.source().network);
  if (!model.is_integral())
    model.integral = convert_on(model.plain.network, conversion,
                                CalibrationData{data, normalization, c10::Device(c10::kCPU)});

  const AnalysedNetwork& source = model.source();
  for (const auto& [id, width] : chosen_widths(model, source, prune_options(options.widths)).widths)
    model.integral->group(source.groups.groups[id].name).resize(width);
  model.integral->tune_grids();
  if (options.weights)
    for (auto& parameter : model.integral->parameters()) parameter.requires_grad_(true);
  model.to(device);
  const TrainResult result = train(*model.integral, data, normalization, recipe);
  check_finished(recipe, result);
  model.to(c10::Device(c10::kCPU));
  save_integral(*model.integral, options.output);
  drop_checkpoint(options.training, recipe);
  report_training(result, options.output, options.context);
  return 0;
}

}  // namespace

Command tune_command() {
  return {.name = "tune",
          .summary = "Trains the grids (sample points) of an integral model; the weights too with --weights",
          .examples =
              "  inn tune integral.pt2 -o tuned.pt2 --data fashion-mnist --keep 0.5 --epochs 1\n"
              "  inn tune integral.pt2 -o tuned.pt2 --data cifar-10/ --width layer1.0.conv1=8 "
              "--learning-rate 0.01\n"
              "  inn tune integral.pt2 -o tuned.pt2 --data fashion-mnist --keep 0.5 --weights --epochs 3",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<TuneArguments>();
            options->training.train.epochs = 1;
            options->training.train.optimizer = "adam";
            options->training.train.learning_rate = 0.01;
            options->context.add_model(app);
            add_output_option(app, options->output);
            add_width_options(app, options->widths);
            app.add_flag("--weights", options->weights, "Train the weights too");
            add_training_options(app, options->training);
            add_kernel_options(app, options->conversion);
            options->context.add_options(app,
                                         {.data = true, .dynamic_batch = true, .device = true, .html = true});
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
