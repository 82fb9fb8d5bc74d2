// Recipes of training, and what a run survives.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <optional>
#include <random>

#include "cli/program_run.h"
#include "inn/network/files.h"

namespace inn {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class Recipes : public testing::Test {
 protected:
  void SetUp() override { write_idx_folder(folder.path() / "data", 96, 28); }

  json json_of(const std::string& arguments) const {
    const auto run = folder.run(arguments + " --json");
    EXPECT_EQ(run.code, 0) << arguments << "\n" << run.err;
    return run.json();
  }
  void expect_refused(const std::string& arguments, const std::string& message) const {
    const auto run = folder.run("train zoo:mlp -o out.pt2 --data data " + arguments);
    EXPECT_EQ(run.code, 2) << arguments;
    EXPECT_THAT(run.err, HasSubstr(message));
  }

  ScratchFolder folder;
};

void expect_same_weights(const std::string& a, const std::string& b) {
  const auto first = read_pt2(a), second = read_pt2(b);
  ASSERT_EQ(first.state.size(), second.state.size());
  for (size_t s = 0; s < first.state.size(); ++s)
    EXPECT_TRUE(at::equal(first.state[s].tensor, second.state[s].tensor)) << first.state[s].name;
}

TEST_F(Recipes, TrainByTheSandwichRuleWithDistillationAndAverages) {
  json_of("train zoo:mlp -o source.pt2 --data data --epochs 3 --learning-rate 0.05");
  const auto run = json_of(
      "train zoo:mlp -o integral.pt2 --data data --epochs 4 --batch-size 16 --learning-rate 0.05 --widths "
      "uniform:0.25,1 --independent-widths --width-rule sandwich:1 --distill in-place,source.pt2 "
      "--distill-weight 0.3 --temperature 2 --ema 0.9 --bfloat16 --hold-out 0.25 --eval-widths 1,0.5");
  ASSERT_EQ(run.at("epochs").size(), 4U);
  for (const auto& epoch : run.at("epochs")) EXPECT_TRUE(epoch.contains("metric"));
  const auto results = json_of("eval integral.pt2 --data data --widths 1,0.5").at("results");
  EXPECT_GT(results[0].at("accuracy"), 0.9);
  EXPECT_GT(results[1].at("accuracy"), 0.9);
}

TEST_F(Recipes, DrawWidthsBySandwichInPlaceWhereNothingElseIsNamed) {
  const std::string run =
      "train zoo:mlp -o out.pt2 --data data --checkpoint run.ckpt --widths uniform:0.5,1 ";
  json_of(run + "--epochs 1");
  const auto refused = [&](const std::string& options) {
    return folder.run(run + "--epochs 1 --resume " + options).err;
  };
  EXPECT_THAT(refused("--width-rule random"), HasSubstr("widths_rule was sandwich:1 in"));
  EXPECT_THAT(refused("--distill none"), HasSubstr("distillation was in-place:0.5:1 in"));
  EXPECT_EQ(folder.run(run + "--epochs 1 --resume").code, 0);
  json_of(run + "--epochs 1 --width-rule random");
  EXPECT_THAT(refused("--width-rule sandwich"), HasSubstr("distillation was not set in"));
}

TEST_F(Recipes, StopEarlyWhereTheWorstWidthGetsNoBetter) {
  const auto run = json_of(
      "train zoo:mlp -o out.pt2 --data data --epochs 50 --learning-rate 0 --validation data --patience 2");
  EXPECT_EQ(run.at("epochs").size(), 3U);
}

TEST_F(Recipes, TrainRegressionsOfTensors) {
  const auto inputs = at::rand({40, 1, 28, 28});
  c10::impl::GenericDict saved(c10::StringType::get(), c10::AnyType::get());
  saved.insert("inputs", inputs);
  saved.insert("targets", inputs.flatten(1).narrow(1, 0, 3).contiguous());
  const auto bytes = torch::jit::pickle_save(saved);
  std::ofstream(folder / "pairs.pt", std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  json_of("train zoo:mlp -o start.pt2 --data data --epochs 0");
  const auto run = json_of(
      "train start.pt2 -o out.pt2 --data pairs.pt --epochs 30 --optimizer adam --learning-rate 0.001 "
      "--widths "
      "uniform:0.5,1");
  EXPECT_FALSE(run.at("epochs")[0].contains("accuracy"));
  // An epoch is a step, at a width of its own: ten together are of all widths.
  const auto loss_of_ten = [&](size_t first) {
    double sum = 0;
    for (size_t e = first; e < first + 10; ++e) sum += run.at("epochs")[e].at("loss").get<double>();
    return sum / 10;
  };
  EXPECT_LT(loss_of_ten(20), loss_of_ten(0));
  const auto result = json_of("eval out.pt2 --data pairs.pt").at("results").at(0);
  EXPECT_EQ(result.at("count"), 40);
  EXPECT_GT(result.at("psnr"), 0);
  EXPECT_THAT(folder.run("eval out.pt2 --data pairs.pt").out, HasSubstr("PSNR"));
}

TEST_F(Recipes, TuneGridsAloneOrWithTheWeights) {
  json_of("train zoo:mlp -o net.pt2 --data data --epochs 2 --learning-rate 0.05");
  json_of("convert net.pt2 -o integral.pt2");
  for (const std::string flag : {"", "--weights "}) {
    const auto run = json_of(
        "tune integral.pt2 -o tuned.pt2 --data data --keep 0.5 --epochs 8 --learning-rate 0.002 " + flag);
    EXPECT_LT(run.at("epochs")[7].at("loss"), run.at("epochs")[0].at("loss"));
    EXPECT_NEAR(json_of("eval tuned.pt2 --data data").at("results")[0].at("width"), 0.5, 0.01);
  }
}

TEST_F(Recipes, RefuseOptionsThatContradictEachOther) {
  expect_refused("--width-rule sandwich", "--widths");
  expect_refused("--independent-widths", "--widths");
  expect_refused("--widths uniform:0.5,1 --width-rule sandwhich", "Did you mean 'sandwich'");
  expect_refused("--widths uniform:0.5,1 --width-rule random --distill in-place",
                 "but got --width-rule 'random'");
  expect_refused("--widths uniform:0.5,1 --distill none,in-place", "cannot be combined");
  expect_refused("--patience 2", "requires --validation or --hold-out");
  expect_refused("--hold-out 0.1 --validation data", "mutually exclusive");
  expect_refused("--loss hinge", "No loss is named 'hinge'");
  expect_refused("--ema 1", "must be below 1");
  json_of("train zoo:mlp -o source.pt2 --data data --epochs 1 --mean 0.3 --std 0.4");
  expect_refused("--distill source.pt2", "the teacher expects images normalized by mean 0.3 and std 0.4");
}

const std::vector<std::string> kRun{"train",
                                    "zoo:mlp",
                                    "--data",
                                    "data",
                                    "--epochs",
                                    "3",
                                    "--ema",
                                    "0.9",
                                    "--widths",
                                    "uniform:0.25,1",
                                    "--batch-size",
                                    "4",
                                    "--learning-rate",
                                    "0.01",
                                    "--resume",
                                    "--checkpoint-interval",
                                    "1"};

/// Starts `inn` in the folder, which it may not write more to a file than `most` bytes.
pid_t start(const ScratchFolder& folder, std::vector<std::string> arguments, rlim_t most = RLIM_INFINITY) {
  const pid_t child = fork();
  if (child != 0) return child;
  std::vector<char*> words{const_cast<char*>(INN_PROGRAM)};
  for (auto& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  const rlimit limit{most, most};
  const bool ready = chdir(folder.path().c_str()) == 0 && std::freopen("err", "w", stderr) != nullptr &&
                     std::freopen("out", "w", stdout) != nullptr && setrlimit(RLIMIT_FSIZE, &limit) == 0;
  if (ready) execv(INN_PROGRAM, words.data());
  _exit(127);
}

int code_of(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::vector<std::string> with_output(const std::string& output) {
  auto arguments = kRun;
  arguments.insert(arguments.end(), {"-o", output});
  return arguments;
}

/// How a run was killed: at a random moment, or as soon as it writes a checkpoint.
enum class Moment { random, writing };

/// Kills a run that has written a checkpoint or is writing one. Returns whether the kill left a checkpoint
/// half written, or nothing where the run had ended before.
std::optional<bool> killed(const ScratchFolder& folder, const std::string& output, Moment moment,
                           std::mt19937& random) {
  const auto checkpoint = std::filesystem::path(folder / (output + ".checkpoint"));
  const auto time_of = [&] {
    std::error_code missing;
    return std::filesystem::last_write_time(checkpoint, missing);
  };
  const auto halves = [&] {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(checkpoint.parent_path()))
      count += entry.path().string().starts_with(checkpoint.string() + ".tmp-") ? 1 : 0;
    return count;
  };
  const auto before = time_of();
  const auto left = halves();  // by kills before
  const pid_t child = start(folder, with_output(output));
  const auto due = [&] { return time_of() != before && (moment == Moment::random || halves() > left); };
  int status = 0;
  while (!due())
    if (usleep(200); waitpid(child, &status, WNOHANG) != 0) return std::nullopt;
  if (moment == Moment::random) usleep(std::uniform_int_distribution<useconds_t>(0, 60000)(random));
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  if (!WIFSIGNALED(status)) return std::nullopt;
  return halves() > left;
}

/// A checkpoint is written after every one of some 70 steps.
TEST_F(Recipes, EndWithTheSameWeightsHoweverOftenTheyAreKilled) {
  ASSERT_EQ(code_of(start(folder, with_output("whole.pt2"))), 0) << content_of(folder / "err");
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  int kills = 0, torn = 0;
  for (int attempt = 0; attempt < 8; ++attempt) {
    const auto half = killed(folder, "part.pt2", attempt % 2 == 0 ? Moment::writing : Moment::random, random);
    if (!half) break;
    ++kills;
    torn += *half;
  }
  EXPECT_GE(kills, 1);
  EXPECT_GE(torn, 1) << "no kill came while a checkpoint was written";
  ASSERT_EQ(code_of(start(folder, with_output("part.pt2"))), 0) << content_of(folder / "err");
  expect_same_weights(folder / "whole.pt2", folder / "part.pt2");
}

TEST_F(Recipes, StopAtAFullDiskAndKeepTheLastGoodCheckpoint) {
  ASSERT_EQ(code_of(start(folder, with_output("whole.pt2"))), 0) << content_of(folder / "err");
  // The first run is stopped at its first steps; the second can't write any more.
  auto arguments = with_output("part.pt2");
  folder.run_until(arguments, "part.pt2.checkpoint");
  const auto kept = content_of(folder / "part.pt2.checkpoint");
  ASSERT_FALSE(kept.empty());
  EXPECT_EQ(code_of(start(folder, arguments, kept.size() / 2)), 1);
  EXPECT_THAT(content_of(folder / "err"),
              AllOf(HasSubstr("part.pt2.checkpoint': cannot be written: File too large")));
  EXPECT_EQ(content_of(folder / "part.pt2.checkpoint"), kept);
  ASSERT_EQ(code_of(start(folder, arguments)), 0);
  expect_same_weights(folder / "whole.pt2", folder / "part.pt2");
}

}  // namespace
}  // namespace inn
