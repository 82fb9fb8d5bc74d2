#include "inn/data/normalization_record.h"

#include <gtest/gtest.h>

namespace inn {
namespace {

TEST(NormalizationRecord, IsReadAsItWasWrittenBesideWhatElseStandsThere) {
  Network network;
  EXPECT_FALSE(recorded_normalization(network).has_value());
  network.extra["inn.json"] = R"({"note": "kept"})";
  EXPECT_FALSE(recorded_normalization(network).has_value());
  const Normalization normalization{{0.1, 0.2, 0.3}, {0.4, 0.5, 0.6}};
  record_normalization(network, normalization);
  EXPECT_EQ(recorded_normalization(network), normalization);
  EXPECT_NE(network.extra["inn.json"].find("kept"), std::string::npos);
}

TEST(NormalizationRecord, FillsInWhatItDoesNotSay) {
  Network network;
  network.extra["inn.json"] = R"({"mean": [0.5]})";
  EXPECT_EQ(recorded_normalization(network), (Normalization{{0.5}, {1.0}}));
}

TEST(NormalizationRecord, RefusesADamagedOne) {
  Network network;
  for (const char* text : {"[", "3", R"({"mean": 1, "std": [1]})", R"({"mean": [], "std": [1]})",
                           R"({"mean": ["a"], "std": [1]})"}) {
    network.extra["inn.json"] = text;
    EXPECT_THROW(recorded_normalization(network), std::runtime_error) << text;
  }
}

}  // namespace
}  // namespace inn
