#include <gtest/gtest.h>

#include "inn/cost/cost.h"
#include "inn/zoo/zoo.h"

namespace inn {
namespace {

/// Multiply-adds of convolutions and linear layers for one image, as published: torchvision's table
/// says 1.814 G for resnet18, the tables for CIFAR 40.55 M for resnet20, 125.49 M for resnet56.
TEST(Zoo, CostsWhatIsPublished) {
  EXPECT_EQ(cost_of(make_zoo_network("resnet18")).macs, 1814073344);
  EXPECT_EQ(cost_of(make_zoo_network("resnet20")).macs, 40551040);
  EXPECT_EQ(cost_of(make_zoo_network("resnet56")).macs, 125485696);
  EXPECT_EQ(cost_of(make_zoo_network("nin")).macs, 222486528);
  EXPECT_EQ(cost_of(make_zoo_network("lenet")).macs, 416520);
  EXPECT_EQ(cost_of(make_zoo_network("mlp")).macs, 784 * 512 + 512 * 512 + 512 * 10);
}

TEST(Zoo, NamesLayersAfterTheirModules) {
  const auto report = cost_of(make_zoo_network("resnet20"));
  EXPECT_EQ(report.parameters, 269722);
  int64_t parameters = 0;
  for (const auto& layer : report.layers) parameters += layer.parameters;
  EXPECT_EQ(parameters, report.parameters);
  EXPECT_EQ(report.layers.front().name, "conv1");
  EXPECT_EQ(report.layers.back().name, "linear");
}

}  // namespace
}  // namespace inn
