#include <CLI/CLI.hpp>
#include <iostream>

#include "commands/command.h"
#include "inn/core/error.h"
#include "inn/core/ranks.h"
#include "inn/methods/convert_on.h"
#include "inn/network/files.h"
#include "options/conversion.h"
#include "options/elastic_options.h"
#include "options/held_out.h"
#include "options/run_context.h"
#include "options/training.h"
#include "options/usage_error.h"
#include "output.h"

namespace inn::cli {
namespace {

struct TrainArguments {
  RunContext context;
  ConversionOptions conversion;
  TrainingOptions training;
  WidthLawOptions widths;
  HeldOutOptions held_out;
  bool channels_last = false;
  std::filesystem::path output;
};

/// Returns the trained weights in a file: an integral model where widths were drawn or it was one before.
TrainResult train_integral(IntegralModel& model, const TrainArguments& options, const Dataset& data,
                           const Normalization& normalization, const TrainOptions& recipe,
                           c10::Device device) {
  model->to(device);
  if (options.channels_last) model->to_channels_last();
  const auto result = train(*model, data, normalization, recipe);
  check_finished(recipe, result);
  model->clear_distributions();
  model->to(c10::Device(c10::kCPU));
  if (ranks().rank != 0) return result;
  save_integral(*model, options.output);
  drop_checkpoint(options.training, recipe);
  return result;
}

TrainResult train_plain(Network network, const TrainArguments& options, const Dataset& data,
                        const Normalization& normalization, const TrainOptions& recipe, c10::Device device) {
  NetworkModule module(std::move(network));
  module->to(device);
  if (options.channels_last) module->to_channels_last();
  const auto result = train(*module, data, normalization, recipe);
  check_finished(recipe, result);
  module->to(c10::Device(c10::kCPU));
  if (ranks().rank != 0) return result;
  Network trained = module->network();
  trained.set_training(false);
  write_pt2(trained, options.output);
  drop_checkpoint(options.training, recipe);
  return result;
}

int run(TrainArguments options) {
  const auto device = options.context.start();
  const auto widths = read_width_law(options.widths, options.training.distill, options.training.train);
  require<UsageError>(widths || (options.conversion.groups.empty() && options.conversion.dims.empty()), "cli",
                      "--groups and --dims require --widths.");
  check(options.held_out, options.training.train);
  check_integral_output(options.output);
  TrainOptions recipe = recipe_of(options.training, options.output, options.context.general.seed);
  const auto conversion = convert_options(options.conversion, options.context.general.seed);

  const SkippedReport skipped(options.context.images);
  Dataset data = open_data(options.training.data, Split::train, options.context.images);
  choose_loss(options.training, data, recipe);
  auto [model, normalization] = options.context.open_for(&data, ZooSize::of_data);
  check_teacher(recipe, normalization, data);
  fit_images(data, model.source().network);
  if (widths && !model.is_integral())
    model.integral = convert_on(model.plain.network, conversion,
                                CalibrationData{data, normalization, c10::Device(c10::kCPU)});
  if (widths)
    model.integral->set_distribution(
        *widths, options.widths.independent ? FractionSharing::own : FractionSharing::shared);
  hold_out(options.held_out, options.context.images, normalization, model, data, recipe);
  const TrainResult result =
      model.is_integral()
          ? train_integral(model.integral, options, data, normalization, recipe, device)
          : train_plain(std::move(model.plain.network), options, data, normalization, recipe, device);
  if (ranks().rank == 0) report_training(result, options.output, options.context);
  return 0;
}

}  // namespace

Command train_command() {
  return {
      .name = "train",
      .summary = "Trains a network, or an integral model at random widths",
      .examples =
          "  inn train zoo:lenet -o lenet.pt2 --data fashion-mnist --epochs 5 --mean 0.286 --std 0.353\n"
          "  inn train lenet.pt2 -o integral.pt2 --data fashion-mnist --widths uniform:0.25,1\n"
          "  inn train lenet.pt2 -o integral.pt2 --data fashion-mnist --widths uniform:0.25,1 --width-rule "
          "sandwich --distill in-place\n"
          "  inn train zoo:lenet -o integral.pt2 --data fashion-mnist --widths choice:1,0.5,0.25 --distill "
          "lenet.pt2 --mean 0.286 --std 0.353\n"
          "  inn train zoo:mlp -o mlp.pt2 --data fashion-mnist --ema 0.999 --hold-out 0.1 --patience 3\n"
          "  inn train edsr.pt2 -o elastic.pt2 --data pairs.pt --loss l1 --optimizer adam --learning-rate "
          "2e-4 "
          "--widths uniform:0.5,1\n"
          "  inn train zoo:resnet20 -o resnet20.pt2 --data cifar-10/ --epochs 100 --crop-padding 4 --flip\n"
          "  inn train zoo:resnet20 -o resnet20.pt2 --data cifar-10/ --epochs 100 --resume",
      .declare = [](CLI::App& app) -> std::function<int()> {
        auto options = std::make_shared<TrainArguments>();
        options->context.add_model(app);
        add_output_option(app, options->output);
        add_training_options(app, options->training);
        app.add_flag("--channels-last", options->channels_last,
                     "Channels-last memory format for convolutions: faster training steps on a CPU")
            ->group("Recipe");
        add_width_law_options(app, options->widths);
        add_held_out_options(app, options->held_out, options->training.train);
        add_conversion_options(app, options->conversion);
        options->context.add_options(app,
                                     {.data = true, .dynamic_batch = true, .device = true, .html = true});
        return [options] { return run(*options); };
      },
      .distributed = true};
}

}  // namespace inn::cli
