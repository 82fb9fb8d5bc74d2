// Every rule of the table on a network that calls its operator: permutation, widths, writing and reading.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "inn/dimension/listed_axes.h"
#include "inn/network/files.h"
#include "inn/resampling/equal_channels.h"
#include "inn/resampling/maps.h"
#include "inn/resampling/verify.h"
#include "networks/rule_examples.h"
#include "resampling/hand_over.h"
#include "temporary_folder.h"

namespace inn {
namespace {

/// What has no example here: integers and dynamic sizes stand in archives that Python exports; in-place draws
/// and bookkeeping have nothing to prove.
bool needs_no_example(const OperatorRule& rule) {
  static const std::set<std::string> names{"aten::bernoulli",    "aten::native_dropout",
                                           "aten::uniform_",     "aten::normal_",
                                           "aten::zero",         "aten::embedding_renorm_",
                                           "aten::lift_fresh",   "aten::lift_fresh_copy",
                                           "aten::float",        "aten::half",
                                           "aten::double",       "aten::requires_grad_",
                                           "aten::resolve_conj", "aten::resolve_neg",
                                           "aten::pin_memory",   "aten::lp_pool2d",
                                           "aten::softmin",      "aten::__matmul__",
                                           "aten::contiguous",   "aten::empty",
                                           "aten::new_empty",    "aten::convolution",
                                           "aten::_convolution", "aten::dropout_",
                                           "aten::fill_",        "aten::zero_"};
  static const std::set<std::string> backends{
      "aten::cudnn_batch_norm",        "aten::miopen_batch_norm",
      "aten::_batch_norm_impl_index",  "aten::_native_batch_norm_legit_functional",
      "aten::_batch_norm_with_update", "aten::_batch_norm_with_update_functional"};
  if (backends.contains(rule.op)) return true;  // of other devices, or of training
  return names.contains(rule.op) || rule.op.ends_with(".int") || rule.op.starts_with("aten::sym_") ||
         rule.op.starts_with("prim::") || rule.op == "aten::Int" || rule.op == "aten::size" ||
         rule.op == "aten::numel";
}

TEST(Rules, HoldTheLawsOnAnExampleOfEveryOperator) {
  const at::NoGradGuard no_grad;
  const auto table = RuleTable::standard();
  std::set<std::string> seen;
  for (const auto& [name, make] : test::rule_examples()) {
    SCOPED_TRACE(name);
    try {
      const Network network = make();
      for (const auto& call : network.calls)
        if (const auto* rule = table.find(call)) seen.insert(rule->op);
      const auto source = analyse(network);
      EXPECT_TRUE(source.groups.unknown_operators.empty()) << source.groups.unknown_operators.begin()->first;
      EXPECT_THAT(unlisted_axes(source), testing::IsEmpty());
      const auto resizable = source.groups.select({});
      EXPECT_FALSE(resizable.empty() && name != "counting")
          << "nothing can be resized: " << source.groups.groups.at(0).pinned.value_or("");
      for (const auto& verification : verify_groups(source, {.redraw = false}))
        EXPECT_TRUE(verification.ok()) << verification.name << ": " << verification.failure;
      for (const auto& verification : verify_equal_channels(source, {.redraw = false}))
        EXPECT_TRUE(verification.ok()) << verification.name << ": " << verification.failure;
      std::map<GroupId, GroupMaps> maps;
      for (const auto id : resizable) {
        const int64_t width = source.groups.groups[id].width;
        maps.emplace(id, first_channels(width, (width + 1) / 2));
      }
      const auto half = resample(source, maps);
      EXPECT_EQ(test::failure_at_other_sizes(network, source.network, true), "");
      EXPECT_EQ(test::failure_at_other_sizes(network, half, false), "");
      const TemporaryFolder folder;
      const auto path = folder / "network.pt2";
      write_pt2(half, path);
      const auto read = read_pt2(path);
      const auto inputs = random_inputs(half, 1);
      EXPECT_TRUE(at::allclose(read.forward(inputs).at(0).toTensor(), half.forward(inputs).at(0).toTensor(),
                               1e-6, 1e-6, true));
    } catch (const c10::Error& error) {
      ADD_FAILURE() << error.what_without_backtrace();
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }
  for (const auto& [op, rule] : table.rules())
    EXPECT_TRUE(seen.contains(op) || needs_no_example(rule)) << op << " has a rule but no example";
}

TEST(Rules, ChangeNoOutputWhereTheyRewriteCalls) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, make] : test::rule_examples()) {
    SCOPED_TRACE(name);
    const auto network = make();
    const auto source = analyse(network);
    const auto inputs = random_inputs(network, 2);
    const auto wanted = network.forward(inputs).at(0).toTensor();
    EXPECT_TRUE(at::allclose(source.network.forward(inputs).at(0).toTensor(), wanted, 1e-6, 1e-6, true));
  }
}

TEST(Rules, EachHasItsLineOfDocumentation) {
  const auto table = RuleTable::standard();
  for (const auto& [op, rule] : table.rules()) EXPECT_FALSE(rule.doc.empty()) << op;
}

}  // namespace
}  // namespace inn
