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

/// What may be chosen of a reference network. Zeros and empty lists stand for the network's own values.
struct ZooOptions {
  int64_t classes = 0;
  int64_t channels = 0;    // of the images
  int64_t image_size = 0;  // height and width of the images
  /// Every hidden width n becomes max(1, round(width·n)). Inputs and classes stay.
  double width = 1.0;
  /// The hidden widths of `mlp`, before `width` is applied. Refused by all others.
  std::vector<int64_t> hidden = {};
  /// Weights are drawn from torch's generator seeded with it; the generator is put back as it was.
  uint64_t seed = 0;
};

/// A reference network: a module that gives [B, classes] for images [B, C, H, W].
class ZooModule : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& images) = 0;
};

/// One reference network of the table.
struct ZooEntry {
  std::string name;  // "resnet20"
  std::string doc;   // one line: what it is, from where, how many parameters
  int64_t classes;
  int64_t channels;
  int64_t image_size;
  /// Makes it. The options come with every value filled in.
  std::function<std::shared_ptr<ZooModule>(const ZooOptions&)> make;
};

/// Returns the reference networks in the order in which they are documented.
const GrowingTable<ZooEntry>& zoo();

/// Adds a network. Throws std::invalid_argument for a name that is taken.
void register_zoo_network(ZooEntry entry);

/// Returns the entry named so. Throws std::invalid_argument with the nearest names.
const ZooEntry& find_zoo_network(const std::string& name);

/// Returns `options` with the entry's own values in place of zeros.
///
/// Throws std::invalid_argument, naming network and option, for a negative number, a width that is not a
/// finite number above 0, and hidden widths where the network has no such list.
ZooOptions complete(const ZooEntry& entry, const ZooOptions& options);

/// Returns a new module in evaluation mode, its weights drawn from the seed as PyTorch's reference code draws
/// them: the same seed gives the weights of torchvision's resnet18. Parameters have the names that they have
/// there. Throws std::invalid_argument for an unknown name (with the nearest ones), for options out of their
/// range and for images that are too small.
std::shared_ptr<ZooModule> make_zoo_module(const std::string& name, const ZooOptions& options = {});

/// Returns the module traced with three example images. Throws as make_zoo_module does.
Network make_zoo_network(const std::string& name, const ZooOptions& options = {});

}  // namespace inn
