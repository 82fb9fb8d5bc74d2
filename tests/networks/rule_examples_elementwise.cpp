// Examples of rules: operators that act element by element, and reductions.

#include <ATen/core/dispatch/Dispatcher.h>

#include <set>

#include "inn/dimension/rule.h"
#include "networks/rule_pieces.h"

namespace inn::test {
namespace {

/// Calls an operator with its default arguments.
at::Tensor call(const std::string& op, std::vector<c10::IValue> stack) {
  const bool power = op == "aten::pow" || op == "aten::float_power";
  const auto* overload = stack.size() == 1 ? "" : power ? "Tensor_Tensor" : "Tensor";
  const auto handle = c10::Dispatcher::singleton().findSchema({op, overload});
  const auto found = handle ? handle : c10::Dispatcher::singleton().findSchema({op, ""});
  const auto& arguments = found.value().schema().arguments();
  for (size_t a = stack.size(); a < arguments.size(); ++a)
    stack.push_back(arguments[a].default_value().value());
  found->callBoxed(stack);
  return stack.at(0).toTensor();
}

/// Examples for what the documentation of rules says alike: one for each operator.
void add_elementwise_examples(std::vector<NamedExample>& examples) {
  // Drawn at random, or refusing floating numbers, or in place.
  const std::set<std::string> apart{"aten::rrelu",
                                    "aten::bitwise_not",
                                    "aten::__and__",
                                    "aten::__or__",
                                    "aten::__xor__",
                                    "aten::bitwise_and",
                                    "aten::bitwise_or",
                                    "aten::bitwise_xor",
                                    "aten::__lshift__",
                                    "aten::__rshift__",
                                    "aten::bitwise_left_shift",
                                    "aten::bitwise_right_shift",
                                    "aten::threshold",
                                    "aten::clip",
                                    "aten::softplus",
                                    "aten::min.other",
                                    "aten::max.other"};
  const auto table = RuleTable::standard();
  for (const auto& [op, rule] : table.rules()) {
    if (apart.contains(op)) continue;
    const bool unary = rule.doc.starts_with("result = f(self)") || rule.doc.starts_with("result = ±self");
    const bool binary =
        rule.doc.starts_with("result = self ∘ other") || rule.doc.starts_with("result = self ± other") ||
        rule.doc.starts_with("result = self · other, axes") || rule.doc.starts_with("result = self / other");
    if (!unary && !binary) continue;
    examples.push_back({op, [op = op, unary](Pieces& p, const at::Tensor& x) {
                          // Between 0.1 and 0.9 most functions are defined; acosh from 1 on.
                          auto in = at::sigmoid(p.tokens(x)) * 0.8 + (op == "aten::acosh" ? 1.1 : 0.1);
                          std::vector<c10::IValue> stack{in};
                          if (!unary) stack.emplace_back(at::sigmoid(p.more(x)));
                          auto out = call(op, stack);
                          return p.of_last(in * out.to(in.dtype()));
                        }});
  }
}
}  // namespace

std::vector<NamedExample> elementwise_examples() {
  using P = Pieces;
  using T = const at::Tensor&;
  std::vector<NamedExample> e;
  const auto add = [&](const std::string& name, Example run) { e.push_back({name, std::move(run)}); };
  add_elementwise_examples(e);
  add("bitwise", [](P& p, T x) {
    const auto a = at::gt(p.tokens(x), 0), b = at::gt(p.more(x), 0);
    auto m = at::__and__(a, b);
    m = at::__or__(m, at::__xor__(a, b));
    m = at::bitwise_and(at::bitwise_or(m, a), at::bitwise_xor(at::bitwise_not(b), b));
    auto n = at::bitwise_left_shift(m.to(at::kLong), a.to(at::kLong));
    n = at::__rshift__(at::__lshift__(at::bitwise_right_shift(n, 1), 1), a.to(at::kLong));
    return p.of_last(p.tokens(x) * n.to(x.dtype()));
  });
  add("extremes",
      [](P& p, T x) { return p.of_last(at::max(at::min(p.tokens(x), p.more(x)), p.more(x) * 0.5)); });
  add("thresholds", [](P& p, T x) {
    return p.of_last(at::rrelu(at::softplus(at::clip(at::threshold(p.tokens(x), 0.1, 0.2), 0.0, 0.9))));
  });
  add("clamps", [](P& p, T x) {
    const auto t = at::clamp_max(at::clamp_min(at::clamp(p.tokens(x), -1, 1), -0.9), 0.9);
    return p.of_last(at::where(at::gt(t, 0), t, at::masked_fill(p.more(x), at::lt(t, -0.5), 0.0)));
  });
  add("combinations", [](P& p, T x) {
    const auto t = p.tokens(x), m = p.more(x);
    return p.of_last(at::lerp(at::addcdiv(at::addcmul(t, t, m), t, at::exp(m)), m, 0.3));
  });
  add("writes", [](P& p, T x) {
    auto a = at::zeros_like(p.tokens(x));
    a.copy_(p.tokens(x));
    auto b = at::empty_like(a).fill_(2.0), c = at::zeros({2, 36, 8}, x.options());
    c.slice(2, 0, 3).zero_();
    return p.of_last(at::copy(a, a * b) + c + at::fill(a, 1.0) * a);
  });
  add("prelu", [](P& p, T x) { return p.of_image(at::prelu(p.image(x), p.weight("slope", {8}))); });
  add("copies", [](P& p, T x) {
    auto t = at::dropout(p.tokens(x), 0.1, false).contiguous().clone().detach().alias();
    t = at::feature_dropout(at::alpha_dropout(at::feature_alpha_dropout(t, 0.1, false), 0.1, false), 0.1,
                            false);
    return p.of_last(at::_to_copy(t.type_as(x), at::kDouble).to(x.dtype()));
  });
  add("reductions over tokens", [](P& p, T x) {
    const auto t = p.tokens(x);
    auto y = t.mean(1) + t.sum(1) + t.amax(1) + t.amin(1) + t.var(1) + t.std(1) + t.prod(1) + t.logsumexp(1) +
             t.norm(2, 1);
    y = y + at::linalg_vector_norm(t, 2, 1) + at::nansum(t, 1) + at::nanmean(t, 1) +
        std::get<0>(t.median(1)) + t.any(1) + t.all(1);
    const auto [variance, mean] = at::var_mean(t, 1);
    const auto [deviation, mean2] = at::std_mean(t, 1);
    const auto [low, high] = at::aminmax(t, 1);
    return p.of_last(y + variance + mean + deviation + mean2 + low + high +
                     at::count_nonzero(t, at::IntArrayRef{1}) + std::get<0>(t.max(1)) +
                     std::get<0>(t.min(1)) + std::get<0>(at::mode(t, 1)) +
                     std::get<0>(at::kthvalue(t, 2, 1)));
  });
  add("reductions over channels", [](P& p, T x) {
    const auto t = p.tokens(x);
    return p.of_last(t * t.mean(2, true) + t / (1 + at::linalg_vector_norm(t, 2, 2, true)) + t * at::max(t) +
                     t * at::min(t) + at::median(t) * t + at::nanmedian(t) * t);
  });
  add("softmaxes", [](P& p, T x) {
    // Over channels a softmax makes weights; over tokens what it makes are functions of the channels.
    const auto means = (at::_softmax(p.more(x), 2, false) * p.tokens(x)).sum(2, true);
    return p.of_last(at::softmax(p.tokens(x), 1) + at::log_softmax(p.tokens(x), 1) +
                     at::_log_softmax(p.more(x), 1, false) +
                     at::softmax(p.more(x), 2).matmul(p.weight("mix", {8, 8})) * means);
  });
  add("ordered", [](P& p, T x) {
    const auto t = p.tokens(x);
    return p.of_last(t.cumsum(1) + t.cumprod(1) + t.logcumsumexp(1) + t.flip({1}) + t.roll(1, 1));
  });
  return e;
}

}  // namespace inn::test
