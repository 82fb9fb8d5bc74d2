#pragma once
// A network and a task that train in a second.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <filesystem>
#include <string>

#include "inn/data/dataset.h"
#include "inn/network/files.h"
#include "inn/train/train.h"
#include "temporary_folder.h"

namespace inn {

inline constexpr int64_t kClasses = 3;
inline const Normalization kNormalization{.mean = {0.3}, .std = {0.2}};

inline TrainOptions quick(int64_t epochs = 3) {
  return {.epochs = epochs, .batch_size = 16, .learning_rate = 0.05, .seed = 5, .progress = false};
}

/// The kind of error that `call` throws, and its message.
template <class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return std::string("invalid: ") + error.what();
  } catch (const std::runtime_error& error) {
    return std::string("runtime: ") + error.what();
  }
  return "nothing was thrown";
}

/// Noise with one bright stripe, whose place is the class.
inline Dataset stripes(int64_t count, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  Dataset data;
  data.inputs = at::randint(0, 100, {count, 1, 8, 8}, generator, at::TensorOptions(at::kByte));
  data.labels = at::randint(0, kClasses, {count}, generator, at::TensorOptions(at::kLong));
  for (int64_t i = 0; i < count; ++i)
    data.inputs[i][0].select(0, 1 + 2 * data.labels[i].item<int64_t>()).add_(120);
  for (int64_t c = 0; c < kClasses; ++c) data.class_names.push_back(std::to_string(c));
  data.source = "stripes";
  return data;
}

/// Convolution, batch norm, ReLU, dropout, linear.
class SmallModule : public torch::nn::Module {
 public:
  SmallModule() {
    conv_ = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 6, 3).padding(1)));
    norm_ = register_module("norm", torch::nn::BatchNorm2d(6));
    mix_ = register_module("mix", torch::nn::Conv2d(torch::nn::Conv2dOptions(6, 8, 3).stride(2)));
    fc_ = register_module("fc", torch::nn::Linear(8 * 9, kClasses));
  }
  at::Tensor forward(const at::Tensor& images) {
    auto x = at::relu(norm_->forward(conv_->forward(images)));
    x = at::dropout(at::relu(mix_->forward(x)), 0.2, is_training());
    return fc_->forward(at::flatten(x, 1));
  }

 private:
  torch::nn::Conv2d conv_{nullptr}, mix_{nullptr};
  torch::nn::BatchNorm2d norm_{nullptr};
  torch::nn::Linear fc_{nullptr};
};

inline Network small_network(uint64_t seed = 1) {
  at::set_num_threads(1);  // a step is less work than waking other threads on a busy machine
  at::manual_seed(seed);
  const auto module = std::make_shared<SmallModule>();
  module->eval();
  return trace(
      *module, [&](const at::Tensor& x) { return module->forward(x); }, at::rand({5, 1, 8, 8}));
}

/// The network without dropout, so that a step is a function of its images.
inline Network without_dropout(Network network) {
  for (auto& call : network.calls)
    if (call.op == "aten::dropout") call.arguments[1] = Argument(c10::IValue(0.0));
  return network;
}

}  // namespace inn
