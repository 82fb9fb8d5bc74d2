#include <ATen/ATen.h>
#include <caffe2/serialize/inline_container.h>
#include <caffe2/serialize/istream_adapter.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "inn/data/batches.h"
#include "inn/data/dataset.h"
#include "temporary_folder.h"

namespace inn {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

/// Files as torch.save writes them, by torch's own writer.
class SavedTensors : public testing::Test {
 protected:
  void write(const std::vector<char>& bytes) const {
    std::ofstream(path_, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  Dataset open(const c10::IValue& value) const {
    write(torch::jit::pickle_save(value));
    return open_dataset(path_.string(), Split::test);
  }
  static c10::IValue dict(const std::vector<std::pair<std::string, c10::IValue>>& entries) {
    c10::impl::GenericDict result(c10::StringType::get(), c10::AnyType::get());
    for (const auto& [key, value] : entries) result.insert(key, value);
    return result;
  }
  std::string failure() const {
    try {
      open_dataset(path_.string(), Split::any);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "no error";
  }
  std::string failure(const c10::IValue& value) const {
    write(torch::jit::pickle_save(value));
    return failure();
  }

  TemporaryFolder folder_;
  fs::path path_ = folder_ / "samples.pt";
};

TEST_F(SavedTensors, ATensorIsInputsWithoutLabels) {
  const at::Tensor features = at::randn({5, 3, 2}), tokens = at::arange(12).view({3, 4});
  EXPECT_TRUE(at::equal(open(features).inputs, features));
  EXPECT_FALSE(open(features).labels.defined());
  EXPECT_FALSE(open(features).holds_images());
  EXPECT_TRUE(at::equal(open(tokens).inputs, tokens));
  EXPECT_TRUE(at::equal(open(features.to(at::kBFloat16)).inputs, features.to(at::kBFloat16)));
  EXPECT_TRUE(at::equal(open(features.transpose(0, 2)).inputs, features.transpose(0, 2)));
  EXPECT_TRUE(at::equal(open(features.narrow(0, 1, 3)).inputs, features.narrow(0, 1, 3)));
}

TEST_F(SavedTensors, ADictHasLabelsOfSamplesOrOfPositions) {
  const at::Tensor tokens = at::arange(12).view({3, 4});
  const auto one = open(dict({{"inputs", tokens}, {"labels", at::tensor({2, 0, 1}, at::kInt)}}));
  EXPECT_TRUE(at::equal(one.labels, at::tensor({2, 0, 1}, at::kLong)));
  EXPECT_EQ(one.class_names, (std::vector<std::string>{"0", "1", "2"}));
  const auto each = open(dict({{"labels", tokens + 1}, {"inputs", tokens}}));
  EXPECT_TRUE(at::equal(each.labels, tokens + 1));
  EXPECT_EQ(each.class_names.size(), 13u);
  EXPECT_FALSE(open(dict({{"inputs", tokens}})).labels.defined());
}

TEST_F(SavedTensors, ADictHasTargetsOfAnySizes) {
  const at::Tensor inputs = at::randn({3, 2}), targets = at::randn({3, 1, 4, 4});
  const auto data = open(dict({{"inputs", inputs}, {"targets", targets}}));
  EXPECT_TRUE(at::equal(data.labels, targets));
  EXPECT_FALSE(data.has_classes());
  EXPECT_TRUE(data.class_names.empty());
  const Batches batches(data, {.batch_size = 2});
  EXPECT_TRUE(at::equal(batches.epoch(0)[1].labels, targets.narrow(0, 2, 1)));
  const auto last = data.select(at::tensor({2, 0}, at::kLong));
  EXPECT_TRUE(at::equal(last.inputs, at::stack({inputs[2], inputs[0]})));
  EXPECT_TRUE(at::equal(last.labels, at::stack({targets[2], targets[0]})));
  EXPECT_THROW(data.select(at::tensor({3}, at::kLong)), std::invalid_argument);
}

TEST_F(SavedTensors, BytesOfFourAxesAreImages) {
  const at::Tensor images = at::randint(0, 256, {2, 3, 4, 4}, at::kByte);
  const auto dataset = open(images);
  EXPECT_TRUE(dataset.holds_images());
  const Normalization normalization{.mean = {0.5}, .std = {0.25}};
  const Batches batches(dataset, {.normalization = normalization});
  EXPECT_TRUE(at::equal(batches.epoch(0)[0].inputs, normalize(images, normalization)));
}

TEST_F(SavedTensors, SaysWhatIsWrong) {
  const at::Tensor inputs = at::zeros({3, 2});
  EXPECT_THAT(failure(dict({{"labels", at::zeros({3}, at::kLong)}})),
              AllOf(HasSubstr(path_.string()), HasSubstr("its dict has no 'inputs'")));
  EXPECT_THAT(failure(dict({{"inputs", inputs}, {"goals", inputs}})),
              HasSubstr("has the unknown key 'goals'"));
  EXPECT_THAT(failure(dict({{"inputs", inputs}, {"targets", at::zeros({3}, at::kLong)}})),
              HasSubstr("'targets' must be floating point but are Long"));
  EXPECT_THAT(failure(dict({{"inputs", inputs}, {"targets", at::zeros({4, 2})}})),
              HasSubstr("'targets' must be [3, …] but are [4, 2]"));
  EXPECT_THAT(failure(dict({{"inputs", inputs}, {"targets", inputs}, {"labels", at::zeros({3}, at::kLong)}})),
              HasSubstr("both 'labels' and 'targets'"));
  EXPECT_THAT(failure(dict({{"inputs", 3}})), HasSubstr("'inputs' must be a tensor but is Int"));
  EXPECT_THAT(failure(c10::List<at::Tensor>({inputs})), HasSubstr("must contain a tensor or a dict"));
  EXPECT_THAT(failure(at::zeros({})), HasSubstr("must be [N, …] with at least one sample but are []"));
  EXPECT_THAT(failure(at::zeros({0, 3})), HasSubstr("but are [0, 3]"));
  EXPECT_THAT(failure(at::zeros({3}, at::kBool)), HasSubstr("but are Bool"));
  EXPECT_THAT(failure(at::zeros({3, 4}, at::kByte)), HasSubstr("must be images [N, C, H, W] but are [3, 4]"));
  EXPECT_THAT(failure(at::zeros({3, 4}).to_sparse()), HasSubstr(path_.string()));
  const auto labelled = [&](const at::Tensor& labels) {
    return failure(dict({{"inputs", inputs}, {"labels", labels}}));
  };
  EXPECT_THAT(labelled(at::zeros({4}, at::kLong)), HasSubstr("must be [3], or [3, T]"));
  EXPECT_THAT(labelled(at::zeros({3, 1, 1}, at::kLong)), HasSubstr("but are [3, 1, 1]"));
  EXPECT_THAT(labelled(at::zeros({3})), HasSubstr("must be integers but are Float"));
  EXPECT_THAT(labelled(at::tensor({0, -100, 1})), HasSubstr("one is -100"));
}

TEST_F(SavedTensors, DamageIsOneError) {
  auto bytes = torch::jit::pickle_save(at::arange(1000));
  bytes.resize(bytes.size() / 2);
  write(bytes);
  EXPECT_THAT(failure(), HasSubstr(path_.string()));
  write({'P', 'K'});
  EXPECT_THAT(failure(), HasSubstr(path_.string()));
  write({'n', 'o', 'n', 'e'});
  EXPECT_THAT(failure(), HasSubstr("was not written by torch.save"));
}

TEST_F(SavedTensors, HoldTensorsOnly) {
  const auto type = c10::ClassType::create(c10::QualifiedName("__torch__.Thing"), {});
  EXPECT_THAT(failure(c10::ivalue::Object::create(c10::StrongTypePtr({}, type), 0)),
              HasSubstr(path_.string()));
  // Nesting costs two bytes a level and, where containers end, stack.
  c10::IValue nested = at::zeros({1});
  for (int level = 0; level < 2000; ++level) nested = c10::ivalue::Tuple::create({nested});
  EXPECT_THAT(failure(nested), HasSubstr("nests deeper than 200"));
}

TEST_F(SavedTensors, SizesAreCheckedAgainstTheFile) {
  const auto bytes = torch::jit::pickle_save(at::arange(1000));
  std::istringstream stream(std::string(bytes.begin(), bytes.end()));
  caffe2::serialize::PyTorchStreamReader reader(&stream);
  const auto [pickle, size] = reader.getRecord("data.pkl");
  {
    caffe2::serialize::PyTorchStreamWriter writer(path_.string());
    writer.writeRecord("data.pkl", pickle.get(), size);
    writer.writeRecord("data/0", std::string(800, '\1').data(), 800);
    writer.writeEndOfFile();
  }
  EXPECT_THAT(failure(), HasSubstr("need 1000 elements of 8 bytes but record 'data/0' has 100"));
  EXPECT_THAT(failure(at::zeros({1}).expand({int64_t{1} << 30})), HasSubstr("repeat 1 elements too often"));
}

TEST(TensorBatches, AreTheDataAsItIs) {
  const at::Tensor tokens = at::arange(20).view({5, 4});
  const Dataset data{.inputs = tokens, .labels = tokens + 1, .source = "tokens"};
  const auto epoch = Batches(data, {.batch_size = 2}).epoch(0);
  ASSERT_EQ(epoch.size(), 3);
  EXPECT_TRUE(at::equal(epoch[1].inputs, tokens.narrow(0, 2, 2)));
  EXPECT_TRUE(at::equal(epoch[2].labels, tokens.narrow(0, 4, 1) + 1));
  const auto shuffled = Batches(data, {.batch_size = 5, .shuffle = true}).epoch(0)[0];
  EXPECT_TRUE(at::equal(shuffled.inputs, tokens.index_select(0, shuffled.indices)));
  EXPECT_TRUE(at::equal(shuffled.labels, shuffled.inputs + 1));
}

TEST(TensorBatches, RefuseWhatIsOfImages) {
  const Dataset data{.inputs = at::zeros({5, 3, 4, 4}), .source = "features.pt"};
  const auto refused = [&](const BatchOptions& options, const std::string& what) {
    EXPECT_THAT([&] { Batches(data, options); },
                testing::ThrowsMessage<std::invalid_argument>(
                    "[data] Data set 'features.pt': " + what +
                    " requires images (uint8 [N, C, H, W]) but the inputs are CPUFloatType with 4 axes."));
  };
  refused({.augmentation = {.crop_padding = 1}}, "crop_padding");
  refused({.augmentation = {.flip = true}}, "flip");
  refused({.normalization = {.mean = {0.5}}}, "normalization by mean and std");
  EXPECT_THROW(Batches(Dataset{.inputs = at::zeros({5}, at::kInt)}, {}), std::invalid_argument);
  EXPECT_THROW(Batches(Dataset{.inputs = at::zeros({5, 2}), .labels = at::zeros({4, 2}, at::kLong)}, {}),
               std::invalid_argument);
}

}  // namespace
}  // namespace inn
