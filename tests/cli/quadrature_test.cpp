// Networks resampled by data through the program.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cli/program_run.h"
#include "inn/network/files.h"

namespace inn {
namespace {

using nlohmann::json;

class QuadratureProgram : public testing::Test {
 protected:
  void SetUp() override { write_idx_folder(folder.path() / "data", 60, 28); }

  json resampled(const std::string& arguments) const {
    const auto run = folder.run("resample zoo:small_cnn -o out.pt2 --json --calibration data " + arguments);
    EXPECT_EQ(run.code, 0) << arguments << "\n" << run.err;
    return run.code == 0 ? run.json() : json::object();
  }

  ScratchFolder folder;
};

TEST_F(QuadratureProgram, WritesAPlainNetworkAndAReport) {
  const auto document = resampled("--keep 0.5 --method quadrature --report fits.json");
  EXPECT_EQ(document.at("method"), "quadrature");
  for (const auto& group : document.at("groups"))
    EXPECT_EQ(group.at("width").get<int64_t>() * 2, group.at("source_width"));
  EXPECT_EQ(read_pt2(folder / "out.pt2").forward(at::zeros({3, 1, 28, 28})).size(0), 3);
  std::ifstream file(folder / "fits.json");
  const json report = json::parse(file);
  ASSERT_EQ(report.at("groups").size(), document.at("groups").size());
  for (const auto& group : report.at("groups")) {
    EXPECT_EQ(group.at("nodes").size(), group.at("width"));
    EXPECT_EQ(group.at("curve").size(), group.at("source_width"));
  }
  ASSERT_FALSE(report.at("layers").empty());
  for (const auto& layer : report.at("layers"))
    EXPECT_LE(layer.at("error_after"), layer.at("error_before")) << layer;
}

TEST_F(QuadratureProgram, EveryMethodTakesRefits) {
  for (const std::string method :
       {"quadrature --no-refit", "interpolate --refit", "fold", "fold --refit", "l1 --refit"}) {
    resampled("--keep 0.5 --samples 30 --method " + method);
    EXPECT_TRUE(
        at::isfinite(read_pt2(folder / "out.pt2").forward(at::ones({2, 1, 28, 28}))).all().item<bool>())
        << method;
  }
}

TEST_F(QuadratureProgram, FitsAllLayersTogetherAfterRefits) {
  resampled("--keep 0.5 --samples 30 --method quadrature --together 1 --report fits.json");
  std::ifstream file(folder / "fits.json");
  EXPECT_LE(json::parse(file).at("together_gain"), 1);
  const auto run =
      folder.run("resample zoo:small_cnn -o no.pt2 --keep 0.5 --calibration data --method l1 --together 1");
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, testing::HasSubstr("requires --refit"));
}

TEST_F(QuadratureProgram, KeepsWithinItsBudget) {
  const auto cost = [&](const std::string& model) {
    const auto run = folder.run("cost " + model + " --json");
    EXPECT_EQ(run.code, 0) << run.err;
    return run.json();
  };
  const auto source = cost("zoo:small_cnn");
  resampled("--budget macs=0.5 --round-to 4 --samples 30 --method quadrature");
  EXPECT_LE(cost("out.pt2").at("macs").get<double>(), 0.5 * source.at("macs").get<double>());
  resampled("--budget params=0.3 --samples 30 --method l1");
  EXPECT_LE(cost("out.pt2").at("parameters").get<double>(), 0.3 * source.at("parameters").get<double>());
  const auto run =
      folder.run("resample zoo:small_cnn -o no.pt2 --calibration data --samples 20 --budget macs=0.0001");
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, testing::HasSubstr("is not reachable"));
  EXPECT_FALSE(std::filesystem::exists(folder / "no.pt2"));
}

TEST_F(QuadratureProgram, DistillsAndSaysHowMuchItHelped) {
  const auto run = folder.run(
      "resample zoo:small_cnn -o out.pt2 --keep 0.5 --method l1 --calibration data --distill-minutes 0.02");
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, testing::HasSubstr("Distillation: "));
  const auto without =
      folder.run("resample zoo:small_cnn -o no.pt2 --keep 0.5 --method l1 --distill-minutes 1");
  EXPECT_EQ(without.code, 2);
  EXPECT_THAT(without.err, testing::HasSubstr("requires --calibration"));
}

TEST_F(QuadratureProgram, ShrinksWithinABudgetAndAMinute) {
  const std::string begin = "shrink zoo:small_cnn -o small.pt2 --calibration data --minutes 0.1 ";
  const auto run = folder.run(begin + "--budget macs=0.5 --json --report small.md");
  ASSERT_EQ(run.code, 0) << run.err;
  const auto made = run.json();
  EXPECT_LE(made.at("after").at("macs").get<double>(), 0.5 * made.at("before").at("macs").get<double>());
  const auto cost = folder.run("cost small.pt2 --json").json();
  EXPECT_EQ(cost.at("macs").get<double>(), made.at("after").at("macs").get<double>());
  EXPECT_EQ(cost.at("parameters").get<double>(), made.at("after").at("parameters").get<double>());
  EXPECT_EQ(made.at("after").at("agreement").at("count"), 12);
  EXPECT_THAT(content_of(folder / "small.md"), testing::HasSubstr("| multiply-adds |"));
  const auto table = folder.run(begin + "--budget params=0.5 --no-distill --keep-batch-norm --target cpu");
  ASSERT_EQ(table.code, 0) << table.err;
  EXPECT_THAT(table.out, testing::AllOf(testing::HasSubstr("before"), testing::HasSubstr("agreement"),
                                        testing::HasSubstr("channels and refits")));
}

TEST_F(QuadratureProgram, ShrinkRefusesWrongUsage) {
  const std::string begin = "shrink zoo:small_cnn -o small.pt2 ";
  for (const auto& [arguments, text] : std::vector<std::pair<std::string, std::string>>{
           {"--budget macs=0.5", "--calibration"},
           {"--calibration data", "--budget"},
           {"--calibration data --budget flops=1", "flops=1"},
           {"--calibration data --budget macs=0.5 --target phone", "phone"},
           {"--calibration data --budget macs=0.5 --minutes 0", "--minutes"}}) {
    const auto run = folder.run(begin + arguments);
    EXPECT_EQ(run.code, 2) << arguments;
    EXPECT_THAT(run.err, testing::HasSubstr(text)) << arguments;
    EXPECT_FALSE(std::filesystem::exists(folder / "small.pt2"));
  }
}

TEST_F(QuadratureProgram, MeasuresItsLatencyTableOnce) {
  resampled("--budget latency=0.95 --latency-table times.json --samples 20 --method l1");
  const auto written = std::filesystem::last_write_time(folder / "times.json");
  resampled("--budget latency=0.95 --latency-table times.json --samples 20 --method l1");
  EXPECT_EQ(std::filesystem::last_write_time(folder / "times.json"), written);
  std::ofstream(folder / "times.json") << "{}";
  const auto run = folder.run(
      "resample zoo:small_cnn -o no.pt2 --calibration data --budget latency=0.9 --latency-table times.json");
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, testing::HasSubstr("does not match this network's groups"));
}

}  // namespace
}  // namespace inn
