#include "inn/zoo/trained.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "inn/cost/cost.h"

namespace inn {
namespace {

constexpr size_t kMostBytes = 6'000'000;  // of all archives: they stand in every program

TEST(TrainedZoo, HasACardForEveryModelThatAgreesWithItsArchive) {
  size_t bytes = 0;
  for (const auto& model : trained_zoo()) {
    SCOPED_TRACE(model.name);
    const auto card = trained_card(model.name);
    const Network network = read_trained(model.name);
    EXPECT_EQ(card.at("name"), model.name);
    EXPECT_EQ(card.at("parameters"), cost_of(network).parameters);
    EXPECT_EQ(card.at("macs"), cost_of(network).macs);
    EXPECT_EQ(card.at("widths").size(), 10);
    EXPECT_THAT(card.at("commands").dump(), testing::HasSubstr("inn train"));
    bytes += model.archive.size();
  }
  EXPECT_LE(bytes, kMostBytes);
}

TEST(TrainedZoo, NamesTheNearestOfAnUnknownName) {
  try {
    read_trained("resnet20@cifar-10");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("resnet20@fashion-mnist"));
  }
}

}  // namespace
}  // namespace inn
