#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>

#include "commands/command.h"
#include "inn/core/error.h"
#include "inn/report/table.h"
#include "inn/train/evaluate.h"
#include "options/evaluation.h"
#include "options/run_context.h"
#include "options/usage_error.h"
#include "options/width_choice.h"

namespace inn::cli {
namespace {

struct EvalArguments {
  RunContext context;
  CalibrationOptions calibration;
  EvaluationOptions evaluation;
  std::vector<double> widths;
  std::string attack, corruption;
};

/// All channels that the integral groups have now over all that they have in the source; 1 for a plain
/// network.
double present_width(const AnyModel& model) {
  if (!model.is_integral()) return 1;
  int64_t now = 0, source = 0;
  for (const auto& group : model.integral->groups()) {
    now += group.width();
    source += group.source_width();
  }
  return static_cast<double>(now) / static_cast<double>(source);
}

EvalOptions eval_options(const EvalArguments& options) {
  EvalOptions eval{
      .batch_size = options.evaluation.batch_size, .progress = true, .seed = options.context.general.seed};
  if (!options.attack.empty()) eval.attack = as_usage([&] { return Attack::parse(options.attack); });
  if (!options.corruption.empty())
    eval.corruption = as_usage([&] { return Corruption::parse(options.corruption); });
  return eval;
}

std::vector<WidthResult> results_of(const AnyModel& model, const EvalArguments& options,
                                    const EvalOptions& eval, const Dataset& data,
                                    const std::optional<Dataset>& calibration,
                                    const Normalization& normalization) {
  if (!options.widths.empty())
    return evaluate_widths(
        *model.integral, data, normalization, options.widths,
        {.eval = eval, .calibration = calibration, .augmentation = options.calibration.augmentation});
  Network network = model.present();
  if (calibration)
    recalibrate(network, *calibration,
                {.batch_size = eval.batch_size,
                 .augmentation = options.calibration.augmentation,
                 .normalization = normalization});
  return {{present_width(model), evaluate(network, data, normalization, eval)}};
}

Table regression_table(const std::vector<WidthResult>& results) {
  Table table({"width", "samples", "loss", "absolute error", "PSNR"});
  for (const auto& [width, result] : results)
    table.add_row({fmt::format("{:.4g}", width), std::to_string(result.count),
                   fmt::format("{:.6f}", result.loss), fmt::format("{:.6f}", result.regression->absolute),
                   fmt::format("{:.2f}", result.regression->psnr)});
  return table;
}

/// With one label per position it also prints the perplexity.
void report(const std::vector<WidthResult>& results, const Dataset& data, const EvalArguments& options) {
  const bool by_position = data.has_classes() && data.labels.dim() == 2;
  Json list = Json::array();
  std::vector<std::string> columns{"width", "accuracy", "correct", by_position ? "positions" : "samples",
                                   "loss"};
  if (by_position) columns.emplace_back("perplexity");
  Table table(columns);
  for (const auto& [width, result] : results) {
    Json record{{"width", width}};
    record.update(result_json(result));
    std::vector<std::string> row{fmt::format("{:.4g}", width), format_percent(result.accuracy),
                                 std::to_string(result.correct), std::to_string(result.count),
                                 fmt::format("{:.4f}", result.loss)};
    if (by_position) {
      record["perplexity"] = std::exp(result.loss);
      row.push_back(fmt::format("{:.3f}", std::exp(result.loss)));
    }
    list.push_back(std::move(record));
    table.add_row(row);
  }
  Json document{{"results", std::move(list)}};
  add_skipped(document, options.context.images);
  show(options.context.general, document,
       [&] { std::cout << (data.has_classes() ? table : regression_table(results)); });
}

int run(const EvalArguments& options) {
  const auto device = options.context.start();
  for (const double width : options.widths) check_fraction("--widths", width);
  const EvalOptions eval = eval_options(options);
  const SkippedReport skipped(options.context.images);
  Dataset data = read_evaluated(options.evaluation, options.context.images);
  auto [model, normalization] = options.context.open_for(&data);
  require(options.widths.empty() || model.is_integral(), "cli",
          "Model '{}': --widths requires an integral model (see 'inn convert'), but this is an ordinary "
          "network with one width.",
          options.context.model.source);
  auto calibration = read_calibration(options.calibration, options.context.images);
  const Network& network = model.source().network;
  fit_images(data, network);
  if (calibration) fit_calibration(*calibration, network);
  model.to(device);
  report(results_of(model, options, eval, data, calibration, normalization), data, options);
  return 0;
}

}  // namespace

Command eval_command() {
  return {.name = "eval",
          .summary = "Accuracy and loss on a data set; for an integral model at several widths",
          .examples =
              "  inn eval lenet.pt2 --data fashion-mnist\n"
              "  inn eval resnet20.pt2 --data cifar-10/ --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225\n"
              "  inn eval integral.pt2 --data fashion-mnist --widths 1,0.75,0.5,0.25 --calibration "
              "fashion-mnist\n"
              "  inn eval resnet20.pt2 --data cifar-10/ --attack pgd:eps=2/255,steps=20,restarts=3\n"
              "  inn eval decoder.pt2 --data text.pt",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<EvalArguments>();
            options->context.add_model(app);
            add_evaluation_options(app, options->evaluation);
            app.add_option("--widths", options->widths,
                           "Widths of an integral model as fractions of the source widths, e.g. 1,0.5,0.25")
                ->delimiter(',')
                ->type_name("F,F,…");
            app.add_option("--attack", options->attack,
                           "Accuracy on attacked images: fgsm:eps=8/255 or pgd:eps=8/255,steps=20,restarts=3")
                ->type_name("ATTACK");
            app.add_option("--corrupt", options->corruption,
                           "Accuracy on worse images: noise, blur or contrast, with a severity from 1 to 5")
                ->type_name("KIND:N");
            add_calibration_options(app, options->calibration);
            options->context.add_options(app, {.data = true, .device = true, .html = true});
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
