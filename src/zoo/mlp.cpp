// A perceptron with ReLU between its layers.

#include <torch/nn/modules/linear.h>

#include "networks.h"

namespace inn::zoo_networks {
namespace {

class Mlp : public ZooModule {
 public:
  explicit Mlp(const ZooOptions& options) {
    int64_t width = options.channels * options.image_size * options.image_size;
    std::vector<int64_t> widths = options.hidden.empty() ? std::vector<int64_t>{512, 512} : options.hidden;
    for (auto& hidden : widths) hidden = scaled(options, hidden);
    widths.push_back(options.classes);
    for (const int64_t next : widths) {
      layers_.push_back(
          register_module(fmt::format("fc{}", layers_.size() + 1), torch::nn::Linear(width, next)));
      width = next;
    }
  }

  at::Tensor forward(const at::Tensor& images) override {
    auto x = at::flatten(images, 1);
    for (size_t i = 0; i < layers_.size(); ++i) {
      x = layers_[i]->forward(x);
      if (i + 1 < layers_.size()) x = at::relu(x);
    }
    return x;
  }

 private:
  std::vector<torch::nn::Linear> layers_;
};

}  // namespace

ZooEntry mlp() {
  return {.name = "mlp",
          .doc = "multilayer perceptron 784-512-512-10 with ReLU; 669,706 parameters",
          .classes = 10,
          .channels = 1,
          .image_size = 28,
          .make = [](const ZooOptions& options) { return std::make_shared<Mlp>(options); }};
}

}  // namespace inn::zoo_networks
