#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inn/network/files.h"
#include "network/archives.h"

namespace inn {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class ReadPt2 : public testing::TestWithParam<std::string> {};

TEST_P(ReadPt2, GivesThePythonOutputs) {
  const auto network = read_pt2(archive_path(GetParam()));
  for (const auto& example : examples_of(GetParam()))
    expect_equal_outputs(network.clone().forward(example.inputs), example.outputs);
}

TEST_P(ReadPt2, KeepsNamesAndExtraFiles) {
  const auto network = read_pt2(archive_path(GetParam()));
  EXPECT_EQ(network.extra.at("note.txt"), GetParam());
  for (const auto& value : network.values) EXPECT_EQ(value.formulas.size(), value.sizes.size()) << value.name;
}

INSTANTIATE_TEST_SUITE_P(Archives, ReadPt2, testing::ValuesIn(archive_names()),
                         [](const auto& info) { return info.param; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ReadPt2);

}  // namespace
}  // namespace inn
