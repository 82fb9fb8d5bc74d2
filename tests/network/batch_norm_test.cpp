#include "inn/network/batch_norm.h"

#include <ATen/ATen.h>
#include <ATen/core/function_schema.h>
#include <gtest/gtest.h>

#include <set>

#include "network_builder.h"

namespace inn {
namespace {

/// A call of the operator with every tensor that it takes, in the mode that `training` says.
Call call_of(const std::string& op, const std::string& overload, bool training) {
  const auto& schema = find_schema(op, overload);
  Call call{.op = op, .overload = overload};
  ValueId next = 0;
  for (const auto& argument : schema.arguments()) {
    const auto& name = argument.name();
    if (argument.type()->str().find("Tensor") != std::string::npos) {
      call.arguments.emplace_back(ValueRef{next++});
    } else if (name == "training") {
      call.arguments.emplace_back(c10::IValue(training));
    } else if (name == "eps" || name == "epsilon") {
      call.arguments.emplace_back(c10::IValue(1e-3));
    } else {
      call.arguments.emplace_back(argument.type()->kind() == c10::TypeKind::BoolType ? c10::IValue(false)
                                                                                     : c10::IValue(0.25));
    }
  }
  call.results.resize(schema.returns().size());
  return call;
}

TEST(BatchNormCall, FindsTheArgumentsOfEveryOperator) {
  for (const auto& op : batch_norm_operators())
    for (const bool training : {true, false}) {
      SCOPED_TRACE(op);
      const Call call = call_of(op, "", training);
      ASSERT_TRUE(is_batch_norm(call));
      const auto norm = batch_norm_call(call).value();
      EXPECT_EQ(norm.input.value(), 0);
      EXPECT_EQ(norm.weight.value(), 1);
      EXPECT_EQ(norm.bias.value(), 2);
      EXPECT_EQ(norm.running_mean.value(), 3);
      EXPECT_EQ(norm.running_var.value(), 4);
      EXPECT_EQ(norm.epsilon, 1e-3);
      if (norm.follows_mode) {
        EXPECT_EQ(norm.uses_batch, training);
      }
    }
  EXPECT_FALSE(batch_norm_call(call_of("aten::_native_batch_norm_legit_no_training", "", true))->uses_batch);
  EXPECT_TRUE(batch_norm_call(call_of("aten::_batch_norm_with_update", "", false))->uses_batch);
  const auto without = batch_norm_call(call_of("aten::_native_batch_norm_legit", "no_stats", false)).value();
  EXPECT_FALSE(without.has_running_statistics());
  EXPECT_FALSE(without.follows_mode);
  EXPECT_FALSE(is_batch_norm(call_of("aten::instance_norm", "", true)));
  EXPECT_FALSE(is_batch_norm(call_of("aten::relu", "", true)));
}

/// Every operator whose schema torch knows under a batch norm's name is in the table, but for its pieces.
TEST(BatchNormCall, KnowsTheOperatorsThatTakeRunningStatisticsAndAnEpsilon) {
  const std::set<std::string> pieces{"aten::batch_norm_gather_stats",
                                     "aten::batch_norm_gather_stats_with_counts", "aten::instance_norm"};
  for (const auto& op : c10::Dispatcher::singleton().getAllOpNames()) {
    if (!op.name.starts_with("aten::") || op.name.find("backward") != std::string::npos) continue;
    const auto found = c10::Dispatcher::singleton().findSchema(op);
    if (!found || pieces.contains(op.name)) continue;
    const auto& schema = found->schema();
    const bool takes_both = schema.argumentIndexWithName("running_mean") &&
                            (schema.argumentIndexWithName("eps") || schema.argumentIndexWithName("epsilon"));
    if (takes_both) {
      EXPECT_TRUE(is_batch_norm(Call{.op = op.name, .overload = op.overload_name})) << op.name;
    }
  }
}

TEST(BatchNormCall, InTrainingGivesTheBatchsOwnStatistics) {
  for (const auto* op : {"aten::batch_norm", "aten::native_batch_norm",
                         "aten::_native_batch_norm_legit_no_training", "aten::_batch_norm_no_update"}) {
    SCOPED_TRACE(op);
    const Call call = batch_norm_in_training(call_of(op, "", false), 3, 4);
    const auto x = at::randn({5, 3, 2}, at::kDouble), gain = at::rand({3}, at::kDouble);
    auto mean = at::full({3}, 7, at::kDouble), variance = at::full({3}, 7, at::kDouble);
    const auto shift = at::rand({3}, at::kDouble);
    std::vector<c10::IValue> stack;
    for (const auto& argument : call.arguments)
      stack.push_back(argument.is_value()
                          ? c10::IValue(std::vector{x, gain, shift, mean, variance}[argument.value()])
                          : argument.constant());
    c10::Dispatcher::singleton().findSchemaOrThrow(call.op.c_str(), "").callBoxed(stack);
    ASSERT_EQ(stack.size(), call.results.size());
    const auto rows = x.transpose(0, 1).flatten(1);
    EXPECT_TRUE(at::allclose(mean, rows.mean(1)));
    EXPECT_TRUE(at::allclose(variance, rows.var(1, /*unbiased=*/true)));
    const auto normalized =
        (rows - rows.mean(1, true)) / (rows.var(1, /*unbiased=*/false, /*keepdim=*/true) + 1e-3).sqrt();
    EXPECT_TRUE(at::allclose(stack[0].toTensor().transpose(0, 1).flatten(1),
                             normalized * gain.unsqueeze(1) + shift.unsqueeze(1)));
  }
}

}  // namespace
}  // namespace inn
