// ResNet-18 with two integral dimensions: convert, train for a few steps at random widths, resize, discretize.

#include <inn/model/integral_model.h>
#include <inn/network/files.h>
#include <inn/zoo/zoo.h>

#include <ATen/ATen.h>
#include <torch/nn/functional/loss.h>
#include <torch/optim/sgd.h>

#include <cstdio>

int main() {
  const inn::Network network = inn::make_zoo_network("resnet18", {.image_size = 64, .seed = 0});

  // Continuous axes by tensor: output channels are axis 0 of a convolution's weight, input channels axis 1.
  auto model =
      inn::convert(network, {.dims = {{"layer4.0.conv1.weight", {0}}, {"layer4.1.conv1.weight", {0, 1}}}});
  for (const auto& group : model->groups())
    std::printf("%-16s %4ld channels\n", group.name().c_str(), static_cast<long>(group.source_width()));

  // At its source width the model equals the network.
  model->eval();
  const auto images = at::randn({2, 3, 64, 64});
  {
    at::NoGradGuard no_grad;
    const double difference = (model->forward(images) - network.forward(images)).abs().max().item<double>();
    std::printf("difference at the source width: %.1e\n", difference);
  }

  // Ordinary training; every step has a random width.
  model->groups()[0].set_distribution(inn::Uniform{8, 16});
  model->train();
  torch::optim::SGD optimizer(model->parameters(), torch::optim::SGDOptions(1e-3).momentum(0.9));
  for (int step = 0; step < 3; ++step) {
    optimizer.zero_grad();
    const auto loss =
        torch::nn::functional::cross_entropy(model->forward(images), at::tensor({1, 2}, at::kLong));
    loss.backward();
    optimizer.step();
    std::printf("step %d: width %2ld, loss %.3f\n", step, static_cast<long>(model->groups()[0].width()),
                loss.item<double>());
  }

  // Any width from the same weights.
  model->eval();
  model->groups()[0].clear_distribution();
  for (const int64_t width : {12, 16}) {
    model->groups()[0].resize(width);
    const inn::Network plain = model->discretize();
    const auto& weight = plain.state[plain.find_state("layer4.0.conv1.weight")].tensor;
    std::printf("at width %ld: layer4.0.conv1.weight is [%ld, %ld, %ld, %ld], outputs [%ld, %ld]\n",
                static_cast<long>(width), static_cast<long>(weight.size(0)),
                static_cast<long>(weight.size(1)), static_cast<long>(weight.size(2)),
                static_cast<long>(weight.size(3)), static_cast<long>(plain.forward(images).size(0)),
                static_cast<long>(plain.forward(images).size(1)));
    inn::write_pt2(plain, "resnet18_" + std::to_string(width) + ".pt2");
  }
}
