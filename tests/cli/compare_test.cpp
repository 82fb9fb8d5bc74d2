// Methods compared through the program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/program_run.h"

namespace inn {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::string kPixels = " --mean 0.3 --std 0.25 ";

class CompareProgram : public testing::Test {
 protected:
  void SetUp() override {
    write_idx_folder(folder.path() / "data", 60, 28);
    const auto run = folder.run("train zoo:small_cnn -o net.pt2 --data data --epochs 2" + kPixels);
    ASSERT_EQ(run.code, 0) << run.err;
  }

  json compared(const std::string& arguments) const {
    const auto run = folder.run("compare net.pt2 --json --calibration data --data data " + arguments);
    EXPECT_EQ(run.code, 0) << arguments << "\n" << run.err;
    return run.code == 0 ? run.json() : json::object();
  }

  json json_of(const std::string& arguments) const {
    const auto run = folder.run(arguments + " --json");
    EXPECT_EQ(run.code, 0) << arguments << "\n" << run.err;
    return run.code == 0 ? run.json() : json::object();
  }

  ScratchFolder folder;
};

TEST_F(CompareProgram, GivesWhatResampleAndEvalGive) {
  const auto document = compared("--keep 0.75,0.5 --samples 40 --methods quadrature,l1,interpolate");
  EXPECT_EQ(document.at("source").at("correct"),
            json_of("eval net.pt2 --data data").at("results").at(0).at("correct"));
  ASSERT_EQ(document.at("results").size(), 2u * (2 * 3 + 1));
  for (const auto& result : document.at("results")) {
    ASSERT_FALSE(result.contains("failure")) << result;
    if (result.at("widths") == "chosen") continue;
    const auto method = result.at("method").get<std::string>();
    const bool refit = result.at("refit");
    json_of("resample net.pt2 -o out.pt2 --calibration data --samples 40 --method " + method + " --keep " +
            result.at("keep").dump() +
            (refit                    ? " --refit"
             : method == "quadrature" ? " --no-refit"
                                      : ""));
    const auto expected = json_of("eval out.pt2 --data data").at("results").at(0);
    for (const char* key : {"correct", "count", "accuracy", "loss"})
      EXPECT_EQ(result.at(key), expected.at(key)) << result;
    const auto cost = json_of("cost out.pt2");
    EXPECT_EQ(result.at("macs"), cost.at("macs")) << result;
    EXPECT_EQ(result.at("parameters"), cost.at("parameters")) << result;
  }
}

TEST_F(CompareProgram, ChoosesWidthsThatCostNoMore) {
  const auto document = compared("--keep 0.75,0.5 --samples 30 --methods quadrature");
  std::map<double, double> uniform;
  for (const auto& result : document.at("results"))
    if (result.at("widths") == "uniform") uniform[result.at("keep")] = result.at("macs");
  int chosen = 0;
  for (const auto& result : document.at("results")) {
    if (result.at("widths") != "chosen") continue;
    ++chosen;
    EXPECT_LE(result.at("macs"), uniform.at(result.at("keep")));
    EXPECT_FALSE(result.at("group_widths").empty());
  }
  EXPECT_EQ(chosen, 2);
  for (const auto& result : compared("--keep 0.5 --samples 30 --methods l1 --no-chosen").at("results"))
    EXPECT_EQ(result.at("widths"), "uniform");
}

TEST_F(CompareProgram, ShowsWhyAMethodCanNot) {
  // An importance that needs labels, and calibration data of one IDX file, which has none.
  const auto document = json_of(
      "compare net.pt2 --calibration data/train-images-idx3-ubyte --data data --keep 0.5 --samples 20 "
      "--methods taylor,l1 --no-chosen");
  int failed = 0;
  for (const auto& result : document.at("results")) {
    EXPECT_EQ(result.contains("failure"), result.at("method") == "taylor") << result;
    EXPECT_EQ(result.contains("accuracy"), result.at("method") == "l1") << result;
    failed += result.contains("failure") ? 1 : 0;
  }
  EXPECT_EQ(failed, 2);
}

TEST_F(CompareProgram, ComparesOutputsWhereThereAreNoLabels) {
  const auto run = folder.run(
      "compare net.pt2 --calibration data --data data/t10k-images-idx3-ubyte --keep 1,0.5 --samples 20 "
      "--methods l1 --no-chosen");
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("no labels"));
  const auto document = json_of(
      "compare net.pt2 --calibration data --data data/t10k-images-idx3-ubyte --keep 1,0.5 --samples 20 "
      "--methods l1 --no-chosen");
  EXPECT_EQ(document.at("source").at("agreement"), 1);
  for (const auto& result : document.at("results")) {
    EXPECT_FALSE(result.contains("accuracy"));
    EXPECT_EQ(result.at("count"), 60);
    EXPECT_GE(result.at("error"), 0);
  }
}

TEST_F(CompareProgram, SamplesAnIntegralModelAtItsGrid) {
  json_of("convert net.pt2 -o integral.pt2");
  const auto document = json_of(
      "compare integral.pt2 --calibration data --data data --keep 0.5 --samples 40 --methods interpolate "
      "--no-chosen");
  json_of("resample integral.pt2 -o out.pt2 --calibration data --samples 40 --keep 0.5");
  const auto expected = json_of("eval out.pt2 --data data").at("results").at(0);
  ASSERT_EQ(document.at("results").size(), 2u);
  EXPECT_EQ(document.at("results").at(1).at("refit"), false);
  EXPECT_EQ(document.at("results").at(1).at("loss"), expected.at("loss"));
}

TEST_F(CompareProgram, WritesItsFiguresAndPicturesForSeveralNumbersOfSamples) {
  const auto document = compared("--keep 0.5 --samples 10,20 --methods fold --no-chosen -o figures");
  EXPECT_EQ(json::parse(content_of(folder / "figures/compare.json")), document);
  std::set<int64_t> samples;
  for (const auto& result : document.at("results")) samples.insert(result.at("samples").get<int64_t>());
  EXPECT_EQ(samples, (std::set<int64_t>{10, 20}));
  EXPECT_THAT(content_of(folder / "figures/compare.svg"), HasSubstr("fold, refit, keep 0.5"));
  EXPECT_TRUE(std::filesystem::exists(folder / "figures/compare.png"));
}

TEST_F(CompareProgram, EndsOnCtrlCWithWhatItHas) {
  const auto stopped = folder.run_until({"compare", "net.pt2", "--calibration", "data", "--data", "data",
                                         "--keep", "0.9,0.8,0.7,0.6,0.5,0.4,0.3,0.2", "-o", "figures"},
                                        "figures");
  EXPECT_EQ(stopped.code, 1);
  EXPECT_THAT(stopped.err, HasSubstr("Interrupted"));
  const auto document = json::parse(content_of(folder / "figures/compare.json"));
  EXPECT_THAT(document.at("results").back().at("failure").get<std::string>(), HasSubstr("Interrupted"));
}

TEST_F(CompareProgram, RefusesWrongUsage) {
  for (const std::string arguments : {"--keep 0", "--keep 0.5 --methods quadratures",
                                      "--keep 0.5 --scope global --methods fold", "--keep 0.5,x", ""}) {
    const auto run = folder.run("compare net.pt2 --calibration data --data data " + arguments);
    EXPECT_EQ(run.code, 2) << arguments << "\n" << run.err;
    EXPECT_EQ(run.out, "") << arguments;
  }
}

}  // namespace
}  // namespace inn
