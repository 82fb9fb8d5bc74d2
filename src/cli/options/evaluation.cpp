#include "options/evaluation.h"

#include <CLI/CLI.hpp>
#include <map>

#include "options/limits.h"

namespace inn::cli {
namespace {

const std::map<std::string, Split>& splits() {
  static const std::map<std::string, Split> table{
      {"test", Split::test}, {"train", Split::train}, {"any", Split::any}};
  return table;
}

}  // namespace

void add_data_option(CLI::App& app, std::string& data) {
  app.add_option(
         "--data", data,
         "Labelled data: a folder (IDX, CIFAR, class folders of images), a .pt of tensors, or fashion-mnist")
      ->required()
      ->type_name("DATA");
}

void add_evaluation_options(CLI::App& app, EvaluationOptions& options) {
  add_data_option(app, options.data);
  app.add_option("--split", options.split, "Split: test, train or any")
      ->check(CLI::IsMember({"test", "train", "any"}))
      ->capture_default_str();
  app.add_option("--batch-size", options.batch_size, "Batch size")->capture_default_str()->check(at_least(1));
}

Dataset read_evaluated(const EvaluationOptions& options, const ImageOptions& images) {
  return open_data(options.data, splits().at(options.split), images);
}

Json result_json(const EvalResult& result) {
  if (result.regression)
    return {{"count", result.count},
            {"loss", result.loss},
            {"absolute_error", result.regression->absolute},
            {"psnr", result.regression->psnr}};
  return {{"accuracy", result.accuracy},
          {"correct", result.correct},
          {"count", result.count},
          {"loss", result.loss}};
}

}  // namespace inn::cli
