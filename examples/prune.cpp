// Finds the groups of a C++ module by tracing, and prunes half of each group by L1 norm.

#include <inn/cost/cost.h>
#include <inn/dimension/fraction_groups.h>
#include <inn/dimension/tracer.h>
#include <inn/pruning/pruner.h>

#include <ATen/ATen.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <cstdio>

struct SmallNet : torch::nn::Module {
  SmallNet() {
    conv1 = register_module("conv1", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 32, 3).padding(1)));
    bn1 = register_module("bn1", torch::nn::BatchNorm2d(32));
    conv2 = register_module("conv2", torch::nn::Conv2d(torch::nn::Conv2dOptions(32, 32, 3).padding(1)));
    fc = register_module("fc", torch::nn::Linear(32 * 8 * 8, 10));
  }
  at::Tensor forward(const at::Tensor& images) {
    auto x = at::relu(bn1->forward(conv1->forward(images)));
    x = x + at::relu(conv2->forward(x));  // a residual sum: conv1 and conv2 must have one width
    return fc->forward(at::flatten(x, 1));
  }
  torch::nn::Conv2d conv1{nullptr}, conv2{nullptr};
  torch::nn::BatchNorm2d bn1{nullptr};
  torch::nn::Linear fc{nullptr};
};

int main() {
  SmallNet module;
  module.eval();
  const auto images = at::randn({2, 3, 8, 8});
  const inn::Tracer tracer(module, images);

  for (const auto& group : tracer.source().groups.groups) {
    std::printf("%-6s width %3ld %s\n", group.name.c_str(), static_cast<long>(group.width),
                group.pinned ? ("not resizable: " + *group.pinned).c_str() : "");
    for (const auto& member : group.members)
      std::printf("       %s %s axis %ld\n",
                  member.role == inn::MemberRole::produce ? "produces" : "consumes", member.tensor.c_str(),
                  static_cast<long>(member.axis));
  }

  inn::Pruner pruner(tracer.source(), {.importance = inn::find_importance("l1")});
  for (const auto id : inn::fraction_groups(tracer.source())) pruner(tracer.source().groups.groups[id], 0.5);
  const inn::Network pruned = pruner.prune();
  std::printf("parameters: %ld before, %ld after; outputs [%ld, %ld]\n",
              static_cast<long>(inn::cost_of(tracer.source().network).parameters),
              static_cast<long>(inn::cost_of(pruned).parameters),
              static_cast<long>(pruned.forward(images).size(0)),
              static_cast<long>(pruned.forward(images).size(1)));
}
