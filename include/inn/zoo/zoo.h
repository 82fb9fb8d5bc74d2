#pragma once
// Reference networks, with random weights.

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "inn/core/named_table.h"
#include "inn/network/network.h"

namespace inn {

/// Options of a reference network. Zeros and empty lists mean the network's defaults.
struct ZooOptions {
  int64_t classes = 0;
  int64_t channels = 0;    // of the images
  int64_t image_size = 0;  // height and width of the images
  /// Every hidden width n becomes max(1, round(width·n)). Inputs and classes are unchanged.
  double width = 1.0;
  /// The hidden widths of `mlp`, before `width` is applied. Rejected by other networks.
  std::vector<int64_t> hidden = {};
  /// Seed of torch's generator for the weights; the generator's state is restored.
  uint64_t seed = 0;
};

/// A reference network: a module that returns [B, classes] for images [B, C, H, W].
class ZooModule : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& images) = 0;
};

/// One reference network of the table.
struct ZooEntry {
  std::string name;  // "resnet20"
  std::string doc;   // one line: description, source, number of parameters
  int64_t classes;
  int64_t channels;
  int64_t image_size;
  /// Creates it. The options have every value filled in.
  std::function<std::shared_ptr<ZooModule>(const ZooOptions&)> make;
};

/// Returns the reference networks in the order in which they are documented.
const GrowingTable<ZooEntry>& zoo();

/// Adds a network. Throws std::invalid_argument if the name is already in use.
void register_zoo_network(ZooEntry entry);

/// Returns the entry with that name. Throws std::invalid_argument with the nearest names.
const ZooEntry& find_zoo_network(const std::string& name);

/// Returns `options` with zeros replaced by the entry's defaults.
///
/// Throws std::invalid_argument, naming network and option, for a negative number, a width that is not finite
/// and positive, and hidden widths for a network without such a list.
ZooOptions complete(const ZooEntry& entry, const ZooOptions& options);

/// Returns a new module in evaluation mode, initialized from the seed like PyTorch's reference code: the same
/// seed gives the weights of torchvision's resnet18. Parameters have the same names. Throws
/// std::invalid_argument for an unknown name (with the nearest ones), options out of range, and images that
/// are too small.
std::shared_ptr<ZooModule> make_zoo_module(const std::string& name, const ZooOptions& options = {});

/// Returns the module traced with three example images. Throws as make_zoo_module does.
Network make_zoo_network(const std::string& name, const ZooOptions& options = {});

}  // namespace inn
