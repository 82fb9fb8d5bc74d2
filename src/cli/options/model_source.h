#pragma once
// Options of the model.

#include <cstdint>
#include <string>
#include <vector>

#include "inn/data/dataset.h"
#include "inn/model/any_model.h"
#include "inn/network/network.h"

namespace CLI {
class App;
}

namespace inn::cli {

struct ModelOptions {
  std::string source;                         // MODEL
  std::vector<std::string> input_sizes = {};  // of a TorchScript file: "1,3,32,32", one an input
  bool dynamic_batch = false;
};

/// Declares MODEL and --input-size.
void add_model_options(CLI::App& app, ModelOptions& options);
/// Declares --dynamic-batch.
void add_dynamic_batch_option(CLI::App& app, bool& dynamic_batch);

/// Reads MODEL: a .pt2 archive, an .onnx, a TorchScript .pt, zoo:NAME or zoo:NAME@DATA. A zoo network is made for
/// `images` if given, and has a dynamic batch. Throws UsageError for a wrong --input-size.
Network read_network(const ModelOptions& options, uint64_t seed, const Dataset* images = nullptr);

/// Reads MODEL and opens it.
AnyModel read_model(const ModelOptions& options, uint64_t seed);

}  // namespace inn::cli
