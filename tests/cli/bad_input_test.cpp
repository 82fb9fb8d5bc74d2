// What is wrong ends in one line on stderr, with nothing on stdout and nothing written.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/program_run.h"

namespace inn {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class BadInput : public testing::Test {
 protected:
  ScratchFolder folder;

  /// The run must fail with that exit code and one line that says so, and leave the folder as it was.
  void expect_refused(int code, const std::string& arguments, const std::string& message) const {
    const auto before = folder.files();
    const auto run = folder.run(arguments + " --json");
    EXPECT_EQ(run.code, code) << arguments << "\n" << run.err;
    EXPECT_EQ(run.out, "") << arguments;
    EXPECT_THAT(run.err, AllOf(MatchesRegex("inn: \\[[a-z_]+\\] [^\n]+\n"), HasSubstr(message))) << arguments;
    EXPECT_EQ(folder.files(), before) << arguments;
  }

  void write(const std::string& name, const std::string& content) const {
    std::ofstream(folder / name, std::ios::binary) << content;
  }
};

TEST_F(BadInput, WrongUsageExitsWithTwo) {
  expect_refused(2, "", "A subcommand is required");
  expect_refused(2, "gruops zoo:mlp", "no such command. Did you mean 'groups'");
  expect_refused(2, "groups", "MODEL is required");
  expect_refused(2, "groups zoo:mlp --nonsense", "--nonsense");
  expect_refused(2, "groups zoo:mlp --threads 0", "--threads");
  expect_refused(2, "cost zoo:mlp --latency -3", "--latency");
  expect_refused(2, "cost zoo:mlp --device banana", "--device 'banana': must be cpu, cuda or cuda:INDEX.");
  expect_refused(2, "eval zoo:mlp", "--data is required");
  expect_refused(2, "convert zoo:mlp -o out.txt", "must end in .pt2 for an integral model");
  expect_refused(2, "convert zoo:mlp -o out.pt2 --kernel cubik", "'cubic'");
  expect_refused(2, "convert zoo:mlp -o out.pt2 --quadrature gauss-legendre", "for arbitrary points");
  expect_refused(2, "convert zoo:mlp -o out.pt2 --quadrature bayesian:rbf,0", "must be positive");
  expect_refused(2, "convert zoo:mlp -o out.pt2 --quadrature bayesian:matern", "Did you mean 'matern");
  expect_refused(2, "convert zoo:mlp -o out.pt2 --quadrature trapezoid:3", "takes no parameters");
  expect_refused(2, "convert zoo:mlp -o out.pt2 --order alphabetic", "must be one of path, nodes, none");
  expect_refused(2, "convert zoo:mlp -o out.pt2 --order nodes", "requires --calibration");
  expect_refused(2, "convert zoo:mlp -o out.pt2 --calibration x", "--calibration requires --order nodes");
  expect_refused(2, "resample zoo:mlp -o out.pt2 --keep 0.5 --method l3", "no such method");
  const std::string resample = "resample zoo:lenet -o out.pt2 ";
  expect_refused(2, resample + "--keep 0.5 --method quadrature", "requires --calibration");
  expect_refused(2, resample + "--keep 0.5 --method l1 --refit", "requires --calibration");
  expect_refused(2, resample + "--keep 0.5 --refit --no-refit", "mutually exclusive");
  expect_refused(2, resample + "--keep 0.5 --method l1 --report r.json",
                 "--report requires --method quadrature");
  expect_refused(2, resample + "--budget macs=0.5", "requires --calibration");
  expect_refused(2, resample + "--budget macs=0.5 --keep 0.5 --calibration x",
                 "cannot be combined with --keep");
  expect_refused(2, resample + "--budget flops=0.5 --calibration x",
                 "must be macs=F, params=F, latency=F, memory=F, agreement=F or accuracy=F");
  expect_refused(2, resample + "--keep 0.5 --latency-table t.json", "requires --budget latency");
  expect_refused(2, "train zoo:mlp -o out.pt2 --data x --widths unifrom:0.5,1", "uniform");
  expect_refused(2, "train zoo:mlp -o out.pt2 --data x --optimizer sgdm", "'sgd'");
  expect_refused(2, "train zoo:mlp -o out.pt2 --data x --epochs many", "--epochs");
  expect_refused(2, "train zoo:mlp -o out.pt2 --data x --groups fc1", "require --widths");
}

TEST_F(BadInput, WidthsThatAreNone) {
  const std::string resample = "resample zoo:lenet -o out.pt2 ";
  expect_refused(2, resample, "No width given");
  expect_refused(2, resample + "--width fc1=0", "must be a positive integer but got '0'");
  expect_refused(2, resample + "--width fc1=-3", "must be a positive integer but got '-3'");
  expect_refused(2, resample + "--width fc1=wide", "must be a positive integer but got 'wide'");
  expect_refused(2, resample + "--width fc1=2.5", "but got '2.5'");
  expect_refused(2, resample + "--width fc1=99999999999999999999", "--width");
  expect_refused(2, resample + "--width fc1", "must be NAME=N");
  expect_refused(2, resample + "--keep 0", "must be a fraction in (0, 8] but got 0");
  expect_refused(2, resample + "--keep=-0.5", "but got -0.5");
  expect_refused(2, resample + "--keep half", "--keep");
  expect_refused(2, resample + "--keep nan", "--keep");
  expect_refused(2, resample + "--keep inf", "--keep");
  expect_refused(1, resample + "--width fc1=961", "width must be in [1, 960] but got 961");
  expect_refused(1, resample + "--width fc1=121 --method l1",
                 "must be in [1, 120] for channel selection but got 121");
  expect_refused(2, resample + "--keep 1e30", "--keep: must be a fraction in (0, 8] but got 1e+30.");
}

TEST_F(BadInput, GroupsThatAreNone) {
  const std::string resample = "resample zoo:lenet -o out.pt2 ";
  expect_refused(1, resample + "--width fc11=4", "Group 'fc11': no such group. Did you mean 'fc1'");
  expect_refused(1, resample + "--keep 0.5 --groups 'conv7*'", "matches no group. Did you mean 'conv");
  expect_refused(1, "convert zoo:lenet -o out.pt2 --groups nothing", "matches no group");
  expect_refused(1, resample + "--width fc3=4", "Group 'fc3': cannot be resized from width 10:");
  expect_refused(1, "convert zoo:lenet -o out.pt2 --groups fc3",
                 "Group 'fc3': cannot be resized from width 10:");
  write("dims.json", R"({"fc1.weigt": [0]})");
  expect_refused(1, "convert zoo:lenet -o out.pt2 --dims dims.json", "'fc1.weight'");
  write("dims.json", R"({"fc1.weight": [7]})");
  expect_refused(1, "convert zoo:lenet -o out.pt2 --dims dims.json", "axis must be in [-2, 2) but got 7");
  write("dims.json", "{");
  expect_refused(1, "convert zoo:lenet -o out.pt2 --dims dims.json", "must contain a JSON object");
  expect_refused(1, "convert zoo:lenet -o out.pt2 --dims missing.json", "cannot read the file");
}

TEST_F(BadInput, FilesThatAreNoModels) {
  expect_refused(1, "groups missing.pt2", "Model 'missing.pt2': no such file.");
  expect_refused(1, "groups zoo:resnet21", "No network is named 'resnet21'. Did you mean 'resnet20'");
  write("empty.pt2", "");
  write("text.pt2", "this is no archive\n");
  write("model.onnx", "onnx");
  write("model.tflite", "tflite");
  expect_refused(1, "groups empty.pt2", "empty.pt2");
  expect_refused(1, "groups text.pt2", "text.pt2");
  expect_refused(1, "groups model.tflite",
                 "must be a .pt2, an .onnx, a TorchScript .pt, zoo:NAME or zoo:NAME@DATA");
  expect_refused(1, "groups model.onnx", "not an ONNX model");
  expect_refused(1, "resample text.pt2 -o out.pt2 --keep 0.5", "text.pt2");

  ASSERT_EQ(folder.run("convert zoo:mlp -o whole.pt2").code, 0);
  const std::string whole = content_of(folder / "whole.pt2");
  write("truncated.pt2", whole.substr(0, whole.size() / 2));
  expect_refused(1, "cost truncated.pt2", "truncated.pt2");
  std::string flipped = whole;
  const auto record = flipped.find("\"nodes\"");
  ASSERT_NE(record, std::string::npos);
  flipped[record] ^= 1;
  write("flipped.pt2", flipped);
  expect_refused(1, "cost flipped.pt2", "flipped.pt2");
  std::filesystem::copy_file(folder / "text.pt2", folder / "text.pt");
  expect_refused(1, "groups text.pt --input-size 1,1,28,28", "text.pt");
  expect_refused(2, "groups text.pt --input-size 1,1,x", "--input-size '1,1,x'");
}

TEST_F(BadInput, DataThatIsNone) {
  expect_refused(1, "eval zoo:mlp --data nowhere", "nowhere");
  write_idx_folder(folder.path() / "data", 12, 28);
  std::filesystem::remove(folder / "data/t10k-labels-idx1-ubyte");
  expect_refused(1, "eval zoo:mlp --data data", "t10k-labels");
  write_idx_folder(folder.path() / "short", 12, 28);
  std::filesystem::resize_file(folder / "short/train-images-idx3-ubyte", 1000);
  expect_refused(1, "train zoo:mlp -o out.pt2 --data short", "train-images-idx3-ubyte");
  write_idx_folder(folder.path() / "good", 12, 28);
  expect_refused(1, "eval zoo:lenet --data good --widths 1,0.5", "--widths requires an integral model");
  expect_refused(1, "eval zoo:lenet --data good --mean 0.1,0.2", "1 or");
  expect_refused(2, "eval zoo:lenet --data good --mean grey", "--mean");
  expect_refused(2, "eval zoo:lenet --data good --attack pgd:eps=2", "eps must be in (0, 1]");
  expect_refused(2, "eval zoo:lenet --data good --corrupt fog:1", "noise, blur or contrast");
  expect_refused(2, "eval zoo:lenet --data good --std 0", "--std: must be finite numbers above 0 but got 0.");
}

TEST_F(BadInput, OutputsThatCannotBeWritten) {
  expect_refused(1, "convert zoo:mlp -o no/such/folder/out.pt2", "folder 'no/such/folder' does not exist");
  std::filesystem::create_directory(folder / "out.pt2");
  expect_refused(1, "convert zoo:mlp -o out.pt2", "it is a folder");
  if (geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  std::filesystem::create_directory(folder / "locked");
  std::filesystem::permissions(folder / "locked",
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  expect_refused(1, "convert zoo:mlp -o locked/out.pt2", "Permission denied");
}

TEST_F(BadInput, AFullDiskBehindStdoutIsAFailedRun) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  EXPECT_EQ(folder.run("groups zoo:mlp --json >/dev/full; test $? = 1").code, 0);
}

}  // namespace
}  // namespace inn
