#pragma once
// The reference networks, one file each.

#include "inn/zoo/zoo.h"

namespace inn::zoo_networks {

ZooEntry mlp();
ZooEntry lenet();
ZooEntry small_cnn();
ZooEntry nin();
/// The residual network for CIFAR with 6·blocks + 2 layers.
ZooEntry cifar_resnet(int64_t blocks);
ZooEntry resnet18();
ZooEntry resnet50();
ZooEntry mobilenet_v2();
ZooEntry vit();

/// Returns max(1, round(options.width·n)).
int64_t scaled(const ZooOptions& options, int64_t n);

}  // namespace inn::zoo_networks
