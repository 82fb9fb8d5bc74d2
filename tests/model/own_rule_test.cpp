// An operator of one's own, with the rule that the documentation shows.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include <filesystem>
#include <iostream>

#include "inn/dimension/rule_equations.h"
#include "inn/model/integral_model.h"
#include "inn/resampling/verify.h"
#include "network_builder.h"
#include "temporary_folder.h"

namespace {

at::Tensor scale_shift(const at::Tensor& self, const at::Tensor& scale, const at::Tensor& shift) {
  return self * scale + shift;
}

at::Tensor twice(const at::Tensor& self) { return self + self; }

}  // namespace

TORCH_LIBRARY(mylib, library) {
  library.def("scale_shift(Tensor self, Tensor scale, Tensor shift) -> Tensor", scale_shift);
  library.def("twice(Tensor self) -> Tensor", twice);
}

namespace inn {
namespace {

Network with_own_operator(const char* op) {
  test::NetworkBuilder b(4);
  const auto hidden = b.call("aten::linear", "", {b.input("x", {2, 3}), b.parameter("first.weight", {8, 3})});
  const bool scales = std::string(op) == "mylib::scale_shift";
  const auto own = scales ? b.call(op, "", {hidden, b.parameter("scale", {8}), b.parameter("shift", {8})})
                          : b.call(op, "", {hidden});
  return b.finish(b.call("aten::linear", "", {own, b.parameter("second.weight", {2, 8})}));
}

/// Runs in a folder of its own, since the example writes a file.
class InFolder {
 public:
  InFolder() : before_(std::filesystem::current_path()) { std::filesystem::current_path(folder_.path()); }
  ~InFolder() { std::filesystem::current_path(before_); }

 private:
  TemporaryFolder folder_;
  std::filesystem::path before_;
};

TEST(OwnRule, OfTheDocumentationReachesConversionAndFiles) {
  const InFolder folder;
  const Network network = with_own_operator("mylib::scale_shift");
  EXPECT_THROW(convert(network), std::invalid_argument);  // without the rule its channels are pinned

#include "rule.inc"

  const auto proofs = verify_groups(analysed, {});
  ASSERT_FALSE(proofs.empty());
  for (const auto& proof : proofs) EXPECT_TRUE(proof.ok()) << proof.name << ": " << proof.failure;
  EXPECT_THROW(load_integral("integral.pt2"), std::runtime_error);
  const auto x = random_inputs(network, 1).at(0).toTensor();
  for (const int64_t width : {8, 5}) {
    for (auto* each : {&model, &loaded}) {
      (*each)->eval();
      (*each)->groups()[0].resize(width);
    }
    EXPECT_TRUE(at::allclose(model->forward(x), loaded->forward(x)));
    EXPECT_TRUE(at::allclose(model->forward(x), model->discretize().forward(x)));
  }
  EXPECT_TRUE(model->clone_model()->options().rules.has_value());
}

TEST(OwnRule, MayBePutTogetherOfTheLibrarysEquations) {
  const Network network = with_own_operator("mylib::twice");
  for (const auto& equations : {rules::broadcast, rules::like_first, rules::same_axes}) {
    auto rules = RuleTable::standard();
    rules.add({"mylib::twice", "result = 2·self", equations});
    for (const auto& proof : verify_groups(analyse(network, rules), {}))
      EXPECT_TRUE(proof.ok()) << proof.name << ": " << proof.failure;
    EXPECT_EQ(convert(network, {.rules = rules})->groups().size(), 1U);
  }
}

}  // namespace
}  // namespace inn
