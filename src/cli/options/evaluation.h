#pragma once
// The data that a command evaluates networks on.

#include <cstdint>
#include <string>

#include "inn/data/dataset.h"
#include "inn/train/evaluate.h"
#include "options/general.h"
#include "options/image_options.h"

namespace CLI {
class App;
}

namespace inn::cli {

/// Declares the required --data.
void add_data_option(CLI::App& app, std::string& data);

struct EvaluationOptions {
  std::string data = {};
  std::string split = "test";
  int64_t batch_size = 256;
};

/// Declares --data, --split and --batch-size.
void add_evaluation_options(CLI::App& app, EvaluationOptions& options);

/// Opens the data.
Dataset read_evaluated(const EvaluationOptions& options, const ImageOptions& images);

/// Returns {"accuracy", "correct", "count", "loss"}; for floating-point targets {"count", "loss",
/// "absolute_error", "psnr"}.
Json result_json(const EvalResult& result);

}  // namespace inn::cli
