#pragma once
// Where a command's model comes from.

#include <c10/core/Device.h>

#include <cstdint>
#include <string>
#include <vector>

#include "inn/data/dataset.h"
#include "inn/dimension/groups.h"
#include "inn/model/integral_model.h"
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

/// Reads what MODEL names: a .pt2 archive, a TorchScript .pt or zoo:NAME. A zoo network is made for `images`
/// where they are given, and has a dynamic batch. Throws UsageError for a wrong --input-size.
Network read_network(const ModelOptions& options, uint64_t seed, const Dataset* images = nullptr);

/// A plain network with its groups, or an integral model.
struct Model {
  AnalysedNetwork plain;  // empty where it is an integral model
  IntegralModel integral{nullptr};

  bool is_integral() const { return !integral.is_empty(); }
  /// The network at its source widths, with its groups.
  const AnalysedNetwork& source() const;
  /// A plain network at the present widths.
  Network present() const;
  void to(c10::Device device);
};

/// Returns the integral model that the network's archive holds, else the network with its groups.
Model open_model(Network network);

/// Both in one.
Model read_model(const ModelOptions& options, uint64_t seed);

}  // namespace inn::cli
