// Networks whose channels the program chooses.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attention_network.h"
#include "cli/program_run.h"
#include "inn/network/files.h"
#include "inn/pruning/importance.h"
#include "inn/pruning/regularization.h"

namespace inn {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::SizeIs;

class PruningProgram : public testing::Test {
 protected:
  void SetUp() override { write_idx_folder(folder.path() / "data", 48, 28); }

  json pruned(const std::string& arguments) const {
    const auto run = folder.run("resample " + arguments + " -o out.pt2 --json");
    EXPECT_EQ(run.code, 0) << arguments << "\n" << run.err;
    return run.code == 0 ? run.json() : json::object();
  }
  void expect_refused(int code, const std::string& arguments, const std::string& message) const {
    const auto run = folder.run(arguments);
    EXPECT_EQ(run.code, code) << arguments << "\n" << run.err;
    EXPECT_THAT(run.err, HasSubstr(message)) << arguments;
    EXPECT_FALSE(std::filesystem::exists(folder / "out.pt2")) << arguments;
  }

  ScratchFolder folder;
};

std::map<std::string, int64_t> widths_in(const json& document) {
  std::map<std::string, int64_t> widths;
  for (const auto& group : document.at("groups")) widths[group.at("name")] = group.at("width");
  return widths;
}

TEST_F(PruningProgram, PrunesByEveryImportance) {
  for (const auto& importance : importances()) {
    const auto document =
        pruned("zoo:small_cnn --calibration data --samples 16 --keep 0.5 --method " + importance.name);
    EXPECT_EQ(document.at("method"), importance.name);
    for (const auto& group : document.at("groups"))
      EXPECT_EQ(group.at("width").get<int64_t>() * 2, group.at("source_width")) << importance.name;
    EXPECT_TRUE(document.at("notes").empty());
    const auto network = read_pt2(folder / "out.pt2");
    EXPECT_EQ(network.forward(at::zeros({3, 1, 28, 28})).size(0), 3);
  }
}

TEST_F(PruningProgram, LeavesMultiplesOfEight) {
  for (const std::string scope : {"uniform", "global", "isomorphic"})
    for (const std::string limits : {"", " --round-up", " --min-width 20", " --max-cut 0.6"}) {
      const auto document = pruned("zoo:lenet --keep 0.4 --method l1 --round-to 8 --scope " + scope + limits);
      for (const auto& group : document.at("groups")) {
        const int64_t width = group.at("width"), source = group.at("source_width");
        EXPECT_TRUE(width % 8 == 0 || width == source) << scope << limits << group;
        EXPECT_TRUE(width % 8 == 0 || source < 24) << scope << limits << group;
        if (limits == " --min-width 20") {
          EXPECT_GE(width, std::min<int64_t>(20, source)) << group;
        }
        if (limits == " --max-cut 0.6") {
          EXPECT_GE(width, 0.4 * static_cast<double>(source)) << group;
        }
      }
    }
}

TEST_F(PruningProgram, KeepsItsFractionOfAllChannelsUnderOneThreshold) {
  const auto widths = widths_in(pruned("zoo:lenet --keep 0.5 --method l2 --scope global"));
  int64_t kept = 0;
  for (const auto& [name, width] : widths) kept += width;
  EXPECT_EQ(kept, (6 + 16 + 120 + 84) / 2);
  const auto fractions =
      widths_in(pruned("zoo:lenet --keep 0.5 --keep-of 'fc*=0.25' 'fc2=1' --exclude conv1 --method l2"));
  EXPECT_THAT(fractions, testing::ElementsAre(testing::Pair("conv2", 8), testing::Pair("fc1", 30),
                                              testing::Pair("fc2", 84)));
}

TEST_F(PruningProgram, KeepsOneChannelWhereAFractionLeavesNoneAndSaysSo) {
  for (const std::string method : {"l1", "interpolate"}) {
    const auto document = pruned("zoo:lenet --keep 0.05 --method " + method);
    EXPECT_EQ(widths_in(document).at("conv1"), 1);
    ASSERT_THAT(document.at("notes"), SizeIs(1)) << document;
    EXPECT_EQ(document.at("notes")[0],
              "Group 'conv1': keeping 0.05 of 6 channels would leave none; it keeps 1.");
  }
  const auto text = folder.run("resample zoo:lenet -o out.pt2 --keep 0.05 --method l1");
  EXPECT_THAT(text.out, HasSubstr("would leave none; it keeps 1."));
  EXPECT_EQ(text.err, "");
}

TEST_F(PruningProgram, KeepsAFractionOfEveryAxisByEveryMethod) {
  Network network = test::attention_network();
  network.signature.argument_names = {"x"};
  write_pt2(network, folder / "net.pt2");
  const auto groups = folder.run("groups net.pt2 --json").json();
  ASSERT_THAT(groups.at("products"), SizeIs(1));
  for (const auto& product : groups.at("products")) {
    EXPECT_THAT(product.at("factors"), SizeIs(2));
    EXPECT_EQ(product.at("follow_fraction"), product.at("factors")[0]);
  }
  const std::string heads = groups.at("products")[0].at("factors")[0][0];
  EXPECT_THAT(folder.run("groups net.pt2").out, HasSubstr(heads + " (4) · "));
  const auto sizes = [&](const std::string& arguments) {
    pruned(arguments);
    const Network cut = read_pt2(folder / "out.pt2");
    return cut.state[cut.find_state("qkv.weight")].tensor.sizes().vec();
  };
  using Sizes = std::vector<int64_t>;
  for (const std::string method : {"l2", "interpolate", "fold"})
    EXPECT_EQ(sizes("net.pt2 --keep 0.5 --method " + method), (Sizes{48, 12})) << method;
  EXPECT_EQ(sizes("net.pt2 --keep 0.5 --groups '*' --method l2"), (Sizes{24, 12}));
  ASSERT_EQ(folder.run("convert net.pt2 -o integral.pt2").code, 0);
  EXPECT_EQ(sizes("integral.pt2 --keep 0.5"), (Sizes{48, 12}));
  EXPECT_EQ(sizes("integral.pt2 --keep 0.5 --keep-of '*=0.5'"), (Sizes{24, 12}));
  EXPECT_EQ(sizes("integral.pt2 --keep 0.5 --width '" + heads + "=3'"), (Sizes{72, 12}));
}

TEST_F(PruningProgram, RefusesWhatDoesNotFitTheMethod) {
  const std::string resample = "resample zoo:lenet -o out.pt2 --keep 0.5 ";
  expect_refused(2, resample + "--scope global", "require an importance method but got method interpolate");
  expect_refused(2, resample + "--method l1 --scope globl",
                 "--scope 'globl': must be uniform, global or isomorphic.");
  expect_refused(2, resample + "--method l1 --combine median", "no such combination. Did you mean");
  expect_refused(2, resample + "--method l1 --normalize gausian", "'gaussian'");
  expect_refused(2, resample + "--method lp --p 0", "--p must be positive but got 0.");
  expect_refused(2, resample + "--method taylor", "Method taylor requires --calibration.");
  expect_refused(2, resample + "--method l1 --max-cut 2", "--max-cut");
  expect_refused(2, resample + "--method l1 --min-width 0", "--min-width");
  expect_refused(2, resample + "--method l1 --keep-of fc1", "must be PATTERN=F");
  expect_refused(2, resample + "--method l1 --keep-of fc1=0", "--keep-of: must be a fraction in (0, ");
  expect_refused(1, resample + "--method l1 --exclude 'layer*'", "matches no group");
  expect_refused(1, "resample zoo:lenet -o out.pt2 --keep 2 --method l1", "must be in [0, 1] but got 2.");
  expect_refused(1, resample + "--method hessian --calibration data/train-images-idx3-ubyte",
                 "requires class labels");
  expect_refused(1, resample + "--method batch_norm", "importance 'batch_norm' requires a batch norm");
  EXPECT_THAT(folder.run("resample --help").out, AllOf(HasSubstr("--scope"), HasSubstr("isomorphic"),
                                                       HasSubstr("fpgm"), HasSubstr("--exclude")));
}

double penalty_in(const Network& network, const std::string& regularizer) {
  const auto source = analyse(network);
  const at::NoGradGuard no_grad;
  return find_regularizer(regularizer)
      .penalty(source, source.groups.select({}), source.network.tensors())
      .item<double>();
}

TEST_F(PruningProgram, TrainsChannelsTowardsZero) {
  const std::string train = "train zoo:small_cnn --data data --epochs 2 --learning-rate 0.02 --batch-size 16";
  ASSERT_EQ(folder.run(train + " -o plain.pt2").code, 0);
  const auto plain = read_pt2(folder / "plain.pt2");
  for (const auto& [name, factor] : {std::pair("group_lasso", "0.1"), std::pair("group_sparsity", "0.03"),
                                     std::pair("batch_norm", "0.3")}) {
    const auto run = folder.run(train + " -o pushed.pt2 --regularize " + name + ":" + factor);
    ASSERT_EQ(run.code, 0) << run.err;
    EXPECT_LT(penalty_in(read_pt2(folder / "pushed.pt2"), name), 0.98 * penalty_in(plain, name)) << name;
  }
  const std::string refused = "train zoo:small_cnn --data data -o out.pt2 --regularize ";
  expect_refused(2, refused + "group_laso:1", "Did you mean 'group_lasso'");
  expect_refused(2, refused + "group_lasso", "must be NAME:FACTOR");
  expect_refused(2, refused + "group_lasso:-1", "with a positive factor");
}

}  // namespace
}  // namespace inn
