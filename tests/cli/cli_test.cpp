#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <algorithm>

#include "cli/program_run.h"
#include "inn/cost/cost.h"
#include "inn/network/files.h"
#include "inn/zoo/zoo.h"

namespace inn {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

/// Interpolation and quadrature in float32.
constexpr double kTolerance = 1e-5;

class Program : public testing::Test {
 protected:
  ScratchFolder folder;

  /// Runs and wants success.
  std::string output_of(const std::string& arguments) const {
    const auto run = folder.run(arguments);
    EXPECT_EQ(run.code, 0) << arguments << "\n" << run.err;
    EXPECT_EQ(run.err, "") << arguments;
    return run.out;
  }
  /// The document without "run", whose times differ from run to run.
  json json_of(const std::string& arguments) const {
    auto document = json::parse(output_of(arguments + " --json"));
    EXPECT_TRUE(document.at("run").at("command").get<std::string>().starts_with("inn ")) << arguments;
    document.erase("run");
    return document;
  }
};

int64_t width_of(const json& groups, const std::string& name) {
  for (const auto& group : groups.at("groups"))
    if (group.at("name") == name) return group.at("width");
  return -1;
}

TEST_F(Program, ShowsExamplesInTheHelpOfEveryCommand) {
  const auto all = output_of("--help");
  for (const std::string name : {"groups", "check", "convert", "resample", "compare", "train", "tune", "eval",
                                 "depth", "cost", "zoo", "operators", "demo"}) {
    EXPECT_THAT(all, HasSubstr(name));
    EXPECT_THAT(output_of(name + " --help"),
                AllOf(HasSubstr("Examples:"), HasSubstr("inn " + name), HasSubstr("--json")));
  }
  EXPECT_THAT(output_of("--version"), HasSubstr("."));
}

TEST_F(Program, PrintsItsCommandsALineEachWhereNoneIsNamed) {
  const auto all = output_of("");
  for (const std::string line : {"\n  groups     Lists ", "\n  resample   Changes ", "\n  demo       Runs "})
    EXPECT_THAT(all, HasSubstr(line));
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'),
            18);  // sixteen commands below the usage and a blank line
}

TEST_F(Program, PrintsTheOperatorReferenceThatTheDocsHold) {
  EXPECT_EQ(output_of("operators"), content_of(INN_SOURCE "/docs/operators.md"))
      << "write it anew: build/release/bin/inn operators > docs/operators.md";
  EXPECT_EQ(output_of("operators --onnx"), content_of(INN_SOURCE "/docs/onnx_operators.md"))
      << "write it anew: build/release/bin/inn operators --onnx > docs/onnx_operators.md";
}

TEST_F(Program, ListsTheZooAndShowsTheCardOfATrainedModel) {
  EXPECT_THAT(output_of("zoo"), AllOf(HasSubstr("zoo:resnet20 "), HasSubstr("zoo:resnet20@fashion-mnist ")));
  EXPECT_THAT(output_of("zoo vit@fashion-mnist"), AllOf(HasSubstr("inn train"), HasSubstr("0.25")));
  const auto listed = json_of("zoo");
  EXPECT_EQ(listed.at("trained").at(0).at("name"), "small_cnn@fashion-mnist");
  EXPECT_EQ(json_of("zoo small_cnn@fashion-mnist").at("widths"), listed.at("trained").at(0).at("widths"));
  EXPECT_THAT(output_of("groups zoo:small_cnn@fashion-mnist"), HasSubstr("conv3"));
  const ScratchFolder folder;
  for (const std::string wrong : {"zoo vit@cifar", "cost zoo:vit@cifar", "cost zoo:vit@fashion-mnist:0.5"}) {
    const auto run = folder.run(wrong);
    EXPECT_EQ(run.code, 1) << wrong;
    EXPECT_THAT(run.err, HasSubstr("'vit@fashion-mnist'")) << wrong;
  }
}

TEST_F(Program, DepthListsChainsAndRemovesBlocks) {
  EXPECT_THAT(output_of("depth zoo:resnet20"),
              AllOf(HasSubstr("layer1      3"), HasSubstr("layer2.1 … layer2.2")));
  EXPECT_THAT(output_of("depth zoo:lenet"), HasSubstr("No two residual blocks"));
  EXPECT_EQ(json_of("depth zoo:vit").at("chains").at(0).at("depth"), 6);
  const auto bytes = torch::jit::pickle_save(at::randn({24, 3, 32, 32}));
  std::ofstream(folder / "images.pt", std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const auto made = json_of("depth zoo:resnet20 -o small.pt2 --depth layer1=2 --calibration images.pt");
  EXPECT_EQ(made.at("chains").at(0).at("removed").size(), 1u);
  EXPECT_LE(made.at("output_error").at("after"), made.at("output_error").at("before_refit"));
  EXPECT_THAT(folder.run("depth small.pt2").out, HasSubstr("layer1      2"));
  for (const auto& [arguments, code, message] : std::vector<std::tuple<std::string, int, std::string>>{
           {"depth zoo:resnet20 --keep-depth 0.5", 2, "-o OUT"},
           {"depth zoo:resnet20 -o x.pt2", 2, "-o OUT"},
           {"depth zoo:resnet20 -o x.pt2 --keep-depth 0.5", 2, "requires --calibration"},
           {"depth zoo:resnet20 -o x.pt2 --depth layer1 --calibration images.pt", 2, "NAME=N"},
           {"depth zoo:resnet20 -o x.pt2 --depth layer9=1 --calibration images.pt", 1, "'layer3'"},
           {"depth zoo:resnet20 -o x.pt2 --depth layer1=7 --calibration images.pt", 1,
            "from 1 to 3 but got 7"}}) {
    const auto run = folder.run(arguments);
    EXPECT_EQ(run.code, code) << arguments;
    EXPECT_THAT(run.err, HasSubstr(message)) << arguments;
    EXPECT_FALSE(std::filesystem::exists(folder / "x.pt2"));
  }
}

TEST_F(Program, ReportMakesAPageOfDocuments) {
  const ScratchFolder folder;
  std::ofstream(folder / "groups.json") << output_of("groups zoo:lenet --json");
  const auto run = folder.run("report groups.json groups.json -o page.html");
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("2 runs"));
  EXPECT_THAT(content_of(folder / "page.html"), HasSubstr("<h2>inn groups zoo:lenet --json</h2>"));
  EXPECT_EQ(folder.run("groups zoo:lenet --html page.html").code, 0);
  EXPECT_THAT(content_of(folder / "page.html"), HasSubstr("<h2>inn groups zoo:lenet --html page.html</h2>"));
}

TEST_F(Program, ReportRefusesWhatIsNoDocument) {
  const ScratchFolder folder;
  for (const auto& content : {std::string(), std::string("[1]"), std::string(100'000, '[')}) {
    std::ofstream(folder / "run.json") << content;
    const auto run = folder.run("report run.json -o page.html");
    EXPECT_EQ(run.code, 1);
    EXPECT_THAT(run.err, HasSubstr("Run 'run.json': must be a JSON object"));
  }
  EXPECT_THAT(folder.run("report none.json -o page.html").err, HasSubstr("Run 'none.json': no such file"));
  EXPECT_EQ(folder.run("report run.json -o page.txt").code, 2);
  EXPECT_EQ(folder.run("groups zoo:lenet --html page.txt").code, 2);
  EXPECT_THAT(folder.run("groups zoo:lenet --html /nowhere/page.html").err, HasSubstr("/nowhere"));
  EXPECT_FALSE(std::filesystem::exists(folder / "page.html"));
}

TEST_F(Program, GroupsListsMembersThatAddUpToTheirAxes) {
  const auto groups = json_of("groups zoo:lenet");
  EXPECT_EQ(width_of(groups, "conv2"), 16);
  EXPECT_TRUE(groups.at("unknown_operators").empty());
  bool flattened = false;  // conv2's channels are 25 columns each of fc1's weight
  for (const auto& group : groups.at("groups")) {
    if (group.at("name") != "conv2") continue;
    EXPECT_TRUE(group.at("pinned").is_null());
    for (const auto& member : group.at("members"))
      flattened |= member.at("tensor") == "fc1.weight" && member.at("axis") == 1 &&
                   member.at("role") == "consume" && member.at("inner") == 25 && member.at("offset") == 0;
  }
  EXPECT_TRUE(flattened);
  EXPECT_THAT(output_of("groups zoo:lenet"),
              testing::AllOf(HasSubstr("conv2"), HasSubstr("fc1.weight[1]"), HasSubstr("not shown: 4"),
                             testing::Not(HasSubstr("conv2.weight[2]"))));
}

TEST_F(Program, GroupsListsKernelTapsAsPinnedPositions) {
  const auto groups = json_of("groups zoo:lenet").at("groups");
  const auto taps = std::find_if(groups.begin(), groups.end(),
                                 [](const auto& group) { return group.at("name") == "conv2.weight[2]"; });
  ASSERT_NE(taps, groups.end());
  EXPECT_TRUE(taps->at("positions").template get<bool>());
  EXPECT_FALSE(taps->at("pinned").is_null());
  EXPECT_THAT(json_of("check zoo:lenet").at("unlisted"), testing::IsEmpty());
}

TEST_F(Program, GroupsAreDrawnIntoAFileOfTheEndingAskedFor) {
  EXPECT_EQ(output_of("groups zoo:lenet --draw groups.dot"), output_of("groups zoo:lenet"));
  EXPECT_THAT(content_of(folder / "groups.dot"),
              AllOf(HasSubstr("digraph"), HasSubstr("fc1.weight[1] consumes conv2")));
  const auto wrong = folder.run("groups zoo:lenet --draw groups.jpg");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("must end in .svg"));
  EXPECT_EQ(folder.run("groups zoo:lenet --draw no/groups.dot").code, 1);
  if (std::system("command -v dot > /dev/null 2>&1") != 0) GTEST_SKIP() << "Graphviz is not installed";
  output_of("groups zoo:lenet --draw groups.svg --json");
  EXPECT_THAT(content_of(folder / "groups.svg"), HasSubstr("<svg"));
}

TEST_F(Program, CheckProvesEveryGroupOfEveryZooNetwork) {
  for (const auto& entry : zoo()) {
    const auto proof =
        json_of("check zoo:" + entry.name + ":0.25");  // the same groups, in a tenth of the time
    EXPECT_EQ(proof.at("ok"), true) << entry.name;
    EXPECT_GT(proof.at("groups").size(), 1u) << entry.name;
    for (const auto& group : proof.at("groups")) {
      EXPECT_EQ(group.at("ok"), true) << entry.name << group;
      EXPECT_GT(group.at("producer_effect"), 0) << entry.name << group;
    }
  }
}

TEST_F(Program, CostCountsWhatTheLibraryCounts) {
  const auto cost = json_of("cost zoo:lenet --latency 3 --threads 1");
  const auto expected = cost_of(make_zoo_network("lenet"));
  EXPECT_EQ(cost.at("parameters"), expected.parameters);
  EXPECT_EQ(cost.at("macs"), expected.macs);
  EXPECT_EQ(cost.at("peak_memory"), expected.peak_memory.bytes);
  EXPECT_EQ(cost.at("layers").size(), 5u);
  EXPECT_LE(cost.at("latency").at("p10"), cost.at("latency").at("median"));
  EXPECT_LE(cost.at("latency").at("median"), cost.at("latency").at("p90"));
}

TEST_F(Program, ConvertKeepsTheOutputsAndResampleHalvesTheWidths) {
  const at::NoGradGuard no_grad;
  output_of("convert zoo:lenet -o integral.pt2 --seed 5");
  const auto images = at::linspace(-1, 1, 7 * 784).reshape({7, 1, 28, 28});
  const auto expected = make_zoo_network("lenet", {.seed = 5}).forward(images);
  const auto outputs = read_pt2(folder / "integral.pt2").forward(images);
  EXPECT_LE((outputs - expected).abs().max().item<double>(), kTolerance);

  const auto done = json_of("resample integral.pt2 -o half.pt2 --keep 0.5");
  EXPECT_EQ(width_of(done, "conv2"), 8);
  const auto half = read_pt2(folder / "half.pt2");
  EXPECT_FALSE(half.extra.contains("integral.json"));
  EXPECT_EQ(half.state[half.find_state("conv2.weight")].tensor.sizes(), (std::vector<int64_t>{8, 3, 5, 5}));
  EXPECT_EQ(half.state[half.find_state("fc1.weight")].tensor.sizes(), (std::vector<int64_t>{60, 8 * 25}));
  EXPECT_EQ(half.forward(images).sizes(), (std::vector<int64_t>{7, 10}));
  EXPECT_EQ(done.at("parameters").at("after"), json_of("cost half.pt2").at("parameters"));
}

TEST_F(Program, ConvertsAndResamplesWithEveryQuadratureOfAnyPoints) {
  const at::NoGradGuard no_grad;
  const auto images = at::linspace(-1, 1, 3 * 784).reshape({3, 1, 28, 28});
  const auto expected = make_zoo_network("lenet", {.seed = 5}).forward(images);
  for (const std::string rule : {"bayesian", "bayesian:brownian", "bayesian:matern32,0.2", "herding:rbf,0.3",
                                 "halton", "sobol", "monte-carlo"}) {
    const auto done = json_of("convert zoo:lenet -o integral.pt2 --seed 5 --order none --quadrature " + rule);
    EXPECT_EQ(done.at("groups").at(0).at("quadrature"), rule);
    EXPECT_LE((read_pt2(folder / "integral.pt2").forward(images) - expected).abs().max().item<double>(),
              kTolerance);
    EXPECT_EQ(width_of(json_of("resample integral.pt2 -o half.pt2 --keep 0.5"), "conv2"), 8) << rule;
    EXPECT_EQ(read_pt2(folder / "half.pt2").forward(images).sizes(), (std::vector<int64_t>{3, 10})) << rule;
  }
  // By the Brownian kernel it is the trapezoid.
  json_of("convert zoo:lenet -o a.pt2 --seed 5 --quadrature bayesian:brownian");
  json_of("resample a.pt2 -o a_half.pt2 --keep 0.5");
  json_of("convert zoo:lenet -o b.pt2 --seed 5 --quadrature trapezoid");
  json_of("resample b.pt2 -o b_half.pt2 --keep 0.5");
  EXPECT_LE(
      (read_pt2(folder / "a_half.pt2").forward(images) - read_pt2(folder / "b_half.pt2").forward(images))
          .abs()
          .max()
          .item<double>(),
      kTolerance);
}

TEST_F(Program, ResamplesByEveryMethodAndByName) {
  for (const std::string method : {"interpolate", "l1", "l2", "random"}) {
    const auto done = json_of("resample zoo:mlp -o out.pt2 --keep 0.5 --width fc1=7 --method " + method);
    EXPECT_EQ(done.at("method"), method);
    EXPECT_EQ(width_of(done, "fc1"), 7) << done;
  }
  const auto rounded = json_of("resample zoo:lenet -o out.pt2 --keep 0.7 --groups 'fc*' --round-to 8");
  EXPECT_EQ(rounded.at("groups").size(), 2u);
  EXPECT_EQ(width_of(rounded, "fc1"), 88);  // 0.7·120 = 84
  EXPECT_EQ(width_of(rounded, "fc2"), 56);  // 0.7·84 = 59
}

TEST_F(Program, ResampleByL1KeepsTheLargestRows) {
  const at::NoGradGuard no_grad;
  output_of("resample zoo:mlp -o out.pt2 --width fc1=3 --method l1 --seed 2");
  const auto source = make_zoo_network("mlp", {.seed = 2});
  const auto weight = source.state[source.find_state("fc1.weight")].tensor.detach();
  const auto kept = std::get<0>(std::get<1>(weight.abs().sum(1).topk(3)).sort());
  const auto cut = read_pt2(folder / "out.pt2");
  EXPECT_TRUE(at::equal(cut.state[cut.find_state("fc1.weight")].tensor, weight.index_select(0, kept)));
}

TEST_F(Program, WritesAndReadsTorchScript) {
  output_of("resample zoo:lenet -o half.pt --keep 0.5");
  const auto groups = json_of("groups half.pt --input-size 2,1,28,28");
  EXPECT_EQ(width_of(groups, "conv2"), 8);
  const auto run = folder.run("groups half.pt");
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("requires --input-size"));
}

/// The ResNet-20 that torch exported, and 2000 real images: right on 1775 of them, says PyTorch.
TEST_F(Program, GivesARealNetworkItsPublishedAccuracyBeforeAndAfterConversion) {
  const std::string data = INN_SHARED_DATA;
  if (!std::filesystem::exists(data + "/resnet20.pt2")) GTEST_SKIP() << "no " << data << "/resnet20.pt2";
  const std::string network = "'" + data + "/resnet20.pt2' ", images = " --data '" + data + "/cifar10-test' ";
  const std::string pixels = " --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 ";
  EXPECT_EQ(json_of("eval " + network + images + pixels).at("results").at(0).at("correct"), 1775);
  output_of("convert " + network + pixels + "-o integral.pt2");
  EXPECT_EQ(json_of("eval integral.pt2" + images).at("results").at(0).at("correct"), 1775);

  const auto cut = json_of("resample " + network + "-o half.pt2 --keep 0.5 --method l1");
  EXPECT_EQ(width_of(cut, "layer1.0.conv1"), 8);
  const auto half = read_pt2(folder / "half.pt2");
  EXPECT_EQ(half.state[half.find_state("layer3.2.conv1.weight")].tensor.sizes(),
            (std::vector<int64_t>{32, 32, 3, 3}));
  for (const int64_t batch : {1, 33})
    EXPECT_EQ(half.forward(at::zeros({batch, 3, 32, 32})).sizes(), (std::vector<int64_t>{batch, 10}));
}

class Training : public Program {
 protected:
  void SetUp() override { write_idx_folder(folder.path() / "data", 96, 28); }
};

TEST_F(Training, TrainsKeepsTheNormalizationAndEvaluates) {
  const auto run =
      json_of("train zoo:mlp -o net.pt2 --data data --epochs 3 --learning-rate 0.05 --mean 0.3 --std 0.25");
  ASSERT_EQ(run.at("epochs").size(), 3u);
  EXPECT_LT(run.at("epochs")[2].at("loss"), run.at("epochs")[0].at("loss"));
  const auto kept = json::parse(read_pt2(folder / "net.pt2").extra.at("inn.json"));
  EXPECT_EQ(kept.at("mean"), json::array({0.3}));
  EXPECT_EQ(kept.at("std"), json::array({0.25}));

  const auto result = json_of("eval net.pt2 --data data").at("results").at(0);
  for (const std::string changed :
       {"--attack fgsm:eps=4/255", "--attack pgd:eps=4/255,steps=3", "--corrupt noise:5"})
    EXPECT_GT(json_of("eval net.pt2 --data data " + changed).at("results").at(0).at("loss"),
              result.at("loss"))
        << changed;
  EXPECT_EQ(result.at("count"), 96);
  EXPECT_EQ(result.at("width"), 1);
  EXPECT_GT(result.at("accuracy"), 0.9);
  EXPECT_DOUBLE_EQ(result.at("accuracy"), result.at("correct").get<double>() / 96);
  EXPECT_EQ(json_of("eval net.pt2 --data data --mean 0.3 --std 0.25").at("results").at(0), result);
  EXPECT_NE(json_of("eval net.pt2 --data data --mean 0 --std 1").at("results").at(0).at("loss"),
            result.at("loss"));

  output_of("convert net.pt2 -o integral.pt2");
  const auto converted = json_of("eval integral.pt2 --data data").at("results").at(0);
  EXPECT_EQ(converted.at("correct"), result.at("correct"));
  EXPECT_EQ(folder.files(), (std::vector<std::string>{"data", "integral.pt2", "net.pt2"}));
}

TEST_F(Training, TrainsAtRandomWidthsAndEvaluatesAtEach) {
  output_of(
      "train zoo:small_cnn -o integral.pt2 --data data --epochs 2 --batch-size 32 --widths uniform:0.25,1");
  const auto results =
      json_of("eval integral.pt2 --data data --widths 1,0.5 --calibration data").at("results");
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].at("width"), 1.0);
  EXPECT_EQ(results[1].at("width"), 0.5);
  EXPECT_EQ(results[1].at("count"), 96);

  output_of("resample integral.pt2 -o half.pt2 --keep 0.5 --calibration data");
  const auto half = json_of("eval half.pt2 --data data").at("results").at(0);
  EXPECT_EQ(half.at("correct"), results[1].at("correct"));

  const auto tuned = json_of("tune integral.pt2 -o tuned.pt2 --data data --keep 0.5 --learning-rate 0.05");
  EXPECT_EQ(tuned.at("epochs").size(), 1u);
  EXPECT_NEAR(json_of("eval tuned.pt2 --data data").at("results").at(0).at("width"), 0.5, kTolerance);
}

TEST_F(Training, EndsOnCtrlCAndResumesToTheWeightsOfAnUnbrokenRun) {
  const std::vector<std::string> run{"train",    "zoo:mlp", "--data",       "data",
                                     "--epochs", "6",       "--batch-size", "2"};
  const auto arguments = [&](const std::vector<std::string>& more) {
    std::string text;
    for (const auto& part : run) text += part + " ";
    for (const auto& part : more) text += part + " ";
    return text;
  };
  output_of(arguments({"-o", "whole.pt2"}));
  auto interrupted = run;
  interrupted.insert(interrupted.end(), {"-o", "part.pt2"});
  // The checkpoint is written before the first of some hundred steps.
  const auto stopped = folder.run_until(interrupted, "part.pt2.checkpoint");
  EXPECT_EQ(stopped.code, 1);
  EXPECT_THAT(stopped.err, AllOf(HasSubstr("Interrupted in epoch"), HasSubstr("--resume")));
  EXPECT_FALSE(std::filesystem::exists(folder / "part.pt2"));

  output_of(arguments({"-o", "part.pt2", "--resume"}));
  EXPECT_FALSE(std::filesystem::exists(folder / "part.pt2.checkpoint"));
  const auto whole = read_pt2(folder / "whole.pt2"), part = read_pt2(folder / "part.pt2");
  for (size_t s = 0; s < whole.state.size(); ++s)
    EXPECT_TRUE(at::equal(whole.state[s].tensor, part.state[s].tensor)) << whole.state[s].name;
}

TEST_F(Training, DemoWritesTheSameFiguresForTheSameSeed) {
  const auto first = json_of("demo --quick --data data --output a --seed 3");
  const auto again = json_of("demo --quick --data data --output b --seed 3");
  EXPECT_EQ(first, again);
  EXPECT_EQ(first, json::parse(content_of(folder / "a/results.json")));
  ASSERT_EQ(first.at("results").size(), 24u);
  for (const auto& result : first.at("results")) {
    EXPECT_EQ(result.size(), 7u);
    EXPECT_GE(result.at("accuracy"), 0);
    EXPECT_GT(result.at("macs"), 0);
  }
  for (const std::string name : {"integral.pt2", "integral_interpolate_0.50.pt2",
                                 "integral_interpolate-refit_0.50.pt2", "ordinary_quadrature_0.25.pt2",
                                 "ordinary_l1_0.25.pt2", "separate_0.75.pt2", "accuracy.svg", "accuracy.png"})
    EXPECT_TRUE(std::filesystem::exists(folder.path() / "a" / name)) << name;
  const auto half = json_of("cost a/integral_interpolate_0.50.pt2");
  for (const auto& result : first.at("results")) {
    if (result.at("width") == 0.5) {
      EXPECT_EQ(result.at("parameters"), half.at("parameters"));
    }
  }
}

}  // namespace
}  // namespace inn
