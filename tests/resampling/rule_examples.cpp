#include "resampling/rule_examples.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/nn/module.h>

#include <set>

#include "inn/dimension/rule.h"
#include "inn/network/files.h"

namespace inn::test {
namespace {

/// Parameters by name, made when first asked for, and the pieces that examples are put together of.
class Pieces : public torch::nn::Module {
 public:
  at::Tensor weight(const std::string& name, at::IntArrayRef sizes) {
    const auto all = named_parameters(false);
    if (const auto* found = all.find(name)) return *found;
    return register_parameter(name, at::randn(sizes) * 0.5);
  }
  /// [2, 3, 6, 6] to [2, 8, 6, 6].
  at::Tensor image(const at::Tensor& x) { return at::conv2d(x, weight("image", {8, 3, 1, 1})); }
  /// [2, 3, 6, 6] to [2, 36, 8].
  at::Tensor tokens(const at::Tensor& x) {
    return at::linear(x.flatten(2).transpose(1, 2), weight("tokens", {8, 3}));
  }
  /// Other tokens of the same width, and positive ones.
  at::Tensor more(const at::Tensor& x) {
    return at::linear(x.flatten(2).transpose(1, 2), weight("more", {8, 3}));
  }
  /// [2, 3, 6, 6] to [2, 8].
  at::Tensor features(const at::Tensor& x) { return at::linear(x.mean({2, 3}), weight("features", {8, 3})); }
  /// Sums over the channels of an image, or of the last axis.
  at::Tensor of_image(const at::Tensor& y) {
    return at::conv2d(y, weight("of_image", {5, y.size(1), 1, 1})).mean({2, 3});
  }
  at::Tensor of_last(const at::Tensor& y) {
    const auto out = at::linear(y, weight("of_last", {5, y.size(-1)}));
    return out.dim() > 2 ? out.flatten(1, -2).mean(1) : out;
  }
};

using Example = std::function<at::Tensor(Pieces&, const at::Tensor&)>;

/// Runs the example once for its parameters, and once to be recorded.
Network traced(const Example& example) {
  at::manual_seed(1);
  const auto pieces = std::make_shared<Pieces>();
  const auto x = at::randn({2, 3, 6, 6});
  example(*pieces, x);  // makes the parameters
  return trace(
      *pieces, [&](const at::Tensor& in) { return example(*pieces, in); }, x);
}

struct NamedExample {
  std::string name;
  Example run;
};

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

at::Tensor attend(Pieces& p, const at::Tensor& x, bool grouped) {
  const auto t = p.tokens(x);
  const auto heads = [&](const std::string& name, int64_t count) {
    return at::linear(t, p.weight(name, {count * 3, 8})).view({2, 36, count, 3}).transpose(1, 2);
  };
  const auto out = at::scaled_dot_product_attention(heads("q", 4), heads("k", grouped ? 2 : 4),
                                                    heads("v", grouped ? 2 : 4), {}, 0.0, false, {}, grouped);
  return p.of_last(out.transpose(1, 2).reshape({2, 36, -1}));
}

at::Tensor recur(Pieces& p, const at::Tensor& x, int64_t gates, const std::string& kind) {
  const std::vector<at::Tensor> params{p.weight("w_ih", {gates * 4, 8}), p.weight("w_hh", {gates * 4, 4}),
                                       p.weight("b_ih", {gates * 4}), p.weight("b_hh", {gates * 4})};
  const auto zeros = at::zeros({1, 2, 4}, x.options());
  if (kind == "lstm")
    return p.of_last(
        std::get<0>(at::lstm(p.tokens(x), {zeros, zeros}, params, true, 1, 0.0, false, false, true)));
  if (kind == "gru")
    return p.of_last(std::get<0>(at::gru(p.tokens(x), zeros, params, true, 1, 0.0, false, false, true)));
  const auto run = kind == "tanh" ? at::_ops::rnn_tanh_input::call : at::_ops::rnn_relu_input::call;
  return p.of_last(std::get<0>(run(p.tokens(x), zeros, params, true, 1, 0.0, false, false, true)));
}

at::Tensor step(Pieces& p, const at::Tensor& x, int64_t gates, const std::string& kind) {
  const auto in = p.features(x), h = at::linear(x.mean({2, 3}), p.weight("h", {4, 3})),
             c = at::linear(x.mean({2, 3}), p.weight("c", {4, 3}));
  const auto w_ih = p.weight("w_ih", {gates * 4, 8}), w_hh = p.weight("w_hh", {gates * 4, 4});
  const auto b_ih = p.weight("b_ih", {gates * 4}), b_hh = p.weight("b_hh", {gates * 4});
  if (kind == "lstm") return p.of_last(std::get<1>(at::lstm_cell(in, {h, c}, w_ih, w_hh, b_ih, b_hh)));
  if (kind == "gru") return p.of_last(at::gru_cell(in, h, w_ih, w_hh, b_ih, b_hh));
  if (kind == "tanh") return p.of_last(at::rnn_tanh_cell(in, h, w_ih, w_hh, b_ih, b_hh));
  return p.of_last(at::rnn_relu_cell(in, h, w_ih, w_hh, b_ih, b_hh));
}

at::Tensor indices(const at::Tensor& x, std::vector<int64_t> which) {
  return at::tensor(which, x.options().dtype(at::kLong));
}

/// The indices of aten::index for positions of axis 1.
c10::List<std::optional<at::Tensor>> along_tokens(const at::Tensor& places) {
  c10::List<std::optional<at::Tensor>> list;
  list.push_back(std::nullopt);
  list.push_back(places);
  return list;
}

std::vector<NamedExample> named_examples() {
  using P = Pieces;
  using T = const at::Tensor&;
  std::vector<NamedExample> e;
  add_elementwise_examples(e);
  const auto add = [&](const std::string& name, Example run) { e.push_back({name, std::move(run)}); };
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
    return p.of_last(at::softmax(p.tokens(x), 2) + at::log_softmax(p.tokens(x), 1) +
                     at::_softmax(p.more(x), 2, false) + at::_log_softmax(p.more(x), 2, false));
  });
  add("ordered", [](P& p, T x) {
    const auto t = p.tokens(x);
    return p.of_last(t.cumsum(1) + t.cumprod(1) + t.logcumsumexp(1) + t.flip({1}) + t.roll(1, 1));
  });
  add("batch norm", [](P& p, T x) {
    const auto mean = p.weight("mean", {8}), variance = at::exp(p.weight("variance", {8}));
    return p.of_image(at::batch_norm(p.image(x), p.weight("g", {8}), p.weight("b", {8}), mean, variance,
                                     false, 0.1, 1e-5, false));
  });
  add("instance and group norm", [](P& p, T x) {
    const auto y =
        at::instance_norm(p.image(x), p.weight("g", {8}), p.weight("b", {8}), {}, {}, true, 0.1, 1e-5, false);
    return p.of_image(at::group_norm(y, 2, p.weight("g2", {8}), p.weight("b2", {8})));
  });
  add("layer and rms norm", [](P& p, T x) {
    const auto y = at::layer_norm(p.tokens(x), {8}, p.weight("g", {8}), p.weight("b", {8}));
    return p.of_last(at::rms_norm(y, {8}, p.weight("g2", {8})));
  });
  add("weight norm", [](P& p, T x) {
    return at::linear(p.features(x), at::_weight_norm(p.weight("v", {5, 8}), p.weight("g", {5, 1}), 0)) +
           at::linear(p.features(x), std::get<0>(at::_weight_norm_interface(p.weight("v2", {5, 8}),
                                                                            p.weight("g2", {5, 1}), 0)));
  });
  add("convolutions", [](P& p, T x) {
    auto y = at::conv_transpose2d(p.image(x), p.weight("t", {8, 4, 1, 1}), p.weight("tb", {4}));
    y = at::conv2d(y, p.weight("grouped", {6, 2, 3, 3}), p.weight("gb", {6}), 1, 1, 1, 2);
    y = at::conv_transpose2d(y, p.weight("grouped_t", {6, 2, 1, 1}), {}, 1, 0, 0, 2);
    y = at::convolution(y, p.weight("c", {6, 4, 1, 1}), {}, {1, 1}, {0, 0}, {1, 1}, false, {0, 0}, 1);
    return p.of_image(at::_convolution(y, p.weight("c2", {8, 6, 1, 1}), {}, {1, 1}, {0, 0}, {1, 1}, false,
                                       {0, 0}, 1, false, false, true, true));
  });
  add("other convolutions", [](P& p, T x) {
    const auto line = p.image(x).flatten(2), volume = p.image(x).unsqueeze(2);
    auto a = at::conv_transpose1d(at::conv1d(line, p.weight("c1", {4, 8, 3})), p.weight("t1", {4, 6, 3}));
    auto b = at::conv_transpose3d(at::conv3d(volume, p.weight("c3", {4, 8, 1, 1, 1})),
                                  p.weight("t3", {4, 6, 1, 1, 1}));
    return p.of_image(a.view({2, 6, 6, 6}) + b.squeeze(2));
  });
  add("pools", [](P& p, T x) {
    const auto i = p.image(x);
    const auto line = i.flatten(2), volume = i.unsqueeze(2);
    auto y = at::max_pool2d(i, 2).mean({2, 3}) + at::avg_pool2d(i, 2).mean({2, 3}) +
             std::get<0>(at::max_pool2d_with_indices(i, 2)).mean({2, 3});
    y = y + at::max_pool1d(line, 2).mean(2) + at::avg_pool1d(line, 2).mean(2) +
        std::get<0>(at::max_pool1d_with_indices(line, 2)).mean(2);
    y = y + at::max_pool3d(volume, {1, 2, 2}).mean({2, 3, 4}) +
        at::avg_pool3d(volume, {1, 2, 2}).mean({2, 3, 4}) +
        std::get<0>(at::max_pool3d_with_indices(volume, {1, 2, 2})).mean({2, 3, 4});
    return p.of_last(y);
  });
  add("adaptive pools", [](P& p, T x) {
    const auto i = p.image(x);
    const auto line = i.flatten(2), volume = i.unsqueeze(2);
    auto y = at::adaptive_avg_pool2d(i, {1, 1}).flatten(1) +
             std::get<0>(at::adaptive_max_pool2d(i, {1, 1})).flatten(1);
    y = y + at::adaptive_avg_pool1d(line, 1).flatten(1) +
        std::get<0>(at::adaptive_max_pool1d(line, 1)).flatten(1);
    y = y + at::adaptive_avg_pool3d(volume, {1, 1, 1}).flatten(1) +
        std::get<0>(at::adaptive_max_pool3d(volume, {1, 1, 1})).flatten(1);
    return p.of_last(y + at::_adaptive_avg_pool2d(i, {1, 1}).flatten(1) +
                     at::_adaptive_avg_pool3d(volume, {1, 1, 1}).flatten(1));
  });
  add("interpolations", [](P& p, T x) {
    const auto i = p.image(x);
    const auto line = i.flatten(2), volume = i.unsqueeze(2);
    const std::vector<int64_t> two{8, 8}, three{1, 8, 8};
    auto y = at::upsample_nearest2d(i, two) + at::upsample_bilinear2d(i, two, false) +
             at::upsample_bicubic2d(i, two, false) + at::_upsample_nearest_exact2d(i, two) +
             at::_upsample_bilinear2d_aa(i, two, false) + at::_upsample_bicubic2d_aa(i, two, false);
    y = y +
        (at::upsample_nearest1d(line, {64}) + at::upsample_linear1d(line, {64}, false)).view({2, 8, 8, 8});
    return p.of_image(
        y +
        (at::upsample_nearest3d(volume, three) + at::upsample_trilinear3d(volume, three, false)).squeeze(2));
  });
  add("grid sampling", [](P& p, T x) {
    const auto grid = at::tanh(at::conv2d(x, p.weight("flow", {2, 3, 1, 1}))).permute({0, 2, 3, 1});
    const auto deep = at::cat({grid, grid.slice(3, 0, 1)}, 3).unsqueeze(1);
    return p.of_image(at::grid_sampler(p.image(x), grid, 0, 0, false) +
                      at::grid_sampler_2d(p.image(x), grid, 0, 0, false) +
                      at::grid_sampler_3d(p.image(x).unsqueeze(2), deep, 0, 0, false).squeeze(2));
  });
  add("products", [](P& p, T x) {
    const auto t = p.tokens(x), m = p.more(x);
    auto y = at::matmul(at::matmul(t, m.transpose(1, 2)), t) + at::bmm(at::bmm(t, m.mT()), m) * 0.1;
    y = at::baddbmm(y, t, p.weight("square", {8, 8}).unsqueeze(0).expand({2, 8, 8}));
    const auto rows = y.reshape({72, 8});
    return p.of_last(
        (at::mm(rows, p.weight("a", {8, 6})) + at::addmm(p.weight("b", {6}), rows, p.weight("c", {8, 6})))
            .view({2, 36, 6}));
  });
  add("vector products", [](P& p, T x) {
    const auto v = p.weight("v", {8}), u = p.weight("u", {8}), f = p.features(x);
    auto y = at::mv(f, v) + at::addmv(p.weight("s", {2}), f, u) + at::dot(u, v) + at::vdot(v, u);
    y = y + at::inner(f, v) + at::tensordot(f, u, {1}, {0});
    return y.unsqueeze(1).expand({2, 5}) +
           p.of_last(at::linear(f, at::outer(p.weight("o", {6}), v) + at::ger(p.weight("o", {6}), u)));
  });
  add("bilinear and distances", [](P& p, T x) {
    const auto d = at::cdist(p.tokens(x), p.more(x)).mean({1, 2});
    return p.of_last(at::bilinear(p.features(x), at::linear(x.mean({2, 3}), p.weight("second", {4, 3})),
                                  p.weight("w", {6, 8, 4}), p.weight("wb", {6}))) +
           d.unsqueeze(1);
  });
  add("attention", [](P& p, T x) { return attend(p, x, false); });
  add("grouped attention", [](P& p, T x) { return attend(p, x, true); });
  add("einsum", [](P& p, T x) {
    const auto y = at::einsum("btc, ...thc -> bth", {p.tokens(x), p.weight("m", {36, 4, 8})});
    const auto z = at::einsum("bic,bjc,hj->bih", {p.tokens(x), p.more(x), p.weight("j", {4, 36})});
    return p.of_last(y + z) + at::einsum("ij,kj", {p.features(x), p.weight("k", {5, 8})});
  });
  for (const auto& [kind, gates] :
       std::vector<std::pair<std::string, int64_t>>{{"lstm", 4}, {"gru", 3}, {"tanh", 1}, {"relu", 1}}) {
    add(kind, [kind = kind, gates = gates](P& p, T x) { return recur(p, x, gates, kind); });
    add(kind + " cell", [kind = kind, gates = gates](P& p, T x) { return step(p, x, gates, kind); });
  }
  add("views", [](P& p, T x) {
    const auto t = p.tokens(x);
    auto y = t.view({2, 36, 4, 2}).reshape({2, 36, 2, 4}).flatten(2).unflatten(2, {4, 2}).reshape({2, 36, 8});
    y = at::_unsafe_view(y, {72, 8}).view_as(t.reshape({72, 8})).reshape_as(t);
    return p.of_last(y + p.weight("bias", {2, 4}).ravel());
  });
  add("movements", [](P& p, T x) {
    auto y = p.image(x)
                 .permute({0, 2, 3, 1})
                 .movedim({3}, {1})
                 .moveaxis(std::vector<int64_t>{1}, std::vector<int64_t>{3})
                 .swapaxes(1, 3)
                 .swapdims(1, 3);
    y = at::linear(y, p.weight("a", {8, 6}).t()) + at::linear(y, p.weight("b", {8, 6}).numpy_T());
    y = at::linear(y, p.weight("c", {6, 4}).mT()) + at::linear(y, p.weight("d", {6, 4}).adjoint()) +
        at::linear(y, p.weight("e", {6, 4}).mH());
    return p.of_last(y.unsqueeze(1).squeeze(1));
  });
  add("expansions", [](P& p, T x) {
    const auto t = p.tokens(x);
    return p.of_last(t + p.weight("a", {1, 1, 8}).expand({2, 36, 8}) + p.weight("b", {1, 8}).expand_as(t));
  });
  add("equal parts", [](P& p, T x) {
    const auto t = p.tokens(x);
    const auto c = t.chunk(2, 2), s = t.split(4, 2), n = at::tensor_split(t, 2, 2);
    const auto u = at::unsafe_chunk(t, 2, 2), v = at::unsafe_split(t, 4, 2);
    return p.of_last(at::cat({c[0] + s[1] + n[0] + u[1] + v[0], c[1]}, 2));
  });
  add("other parts", [](P& p, T x) {
    const auto t = p.tokens(x);
    const auto w = t.split_with_sizes({3, 5}, 2), i = at::tensor_split(t, at::IntArrayRef{3}, 2);
    const auto z = at::split(t, at::IntArrayRef{3, 5}, 2);
    return p.of_last(at::cat({at::concat({w[1], w[0]}, 2), at::concatenate({i[0], i[1]}, 2), z[1]}, 2));
  });
  add("slices", [](P& p, T x) {
    const auto t = p.tokens(x);
    const auto parts = at::cat({t.slice(2, 0, 3), t.narrow(2, 3, 2), t.slice(2, 5)}, 2);
    return p.of_last(parts + t.select(1, 0).unsqueeze(1) + t.unbind(1)[3].unsqueeze(1) +
                     t.slice(1, 0, 36, 2).mean(1, true));
  });
  add("stack, pad and gate", [](P& p, T x) {
    const auto s = at::stack({p.tokens(x), p.more(x)}, 3).flatten(2);
    return p.of_last(at::constant_pad_nd(at::pad(at::glu(s, 2), {1, 2}), {0, 1}));
  });
  add("pixels", [](P& p, T x) {
    return p.of_image(at::pixel_shuffle(at::pixel_unshuffle(p.image(x), 2), 2) +
                      at::pixel_shuffle(p.image(x), 2).mean(1, true).slice(2, 0, 6).slice(3, 0, 6));
  });
  add("channel shuffle", [](P& p, T x) {
    return p.of_image(at::native_channel_shuffle(at::channel_shuffle(p.image(x), 2), 4));
  });
  add("columns", [](P& p, T x) {
    const auto columns = at::im2col(p.image(x), {3, 3}, {1, 1}, {1, 1}, {1, 1});
    return p.of_image(at::col2im(columns, {6, 6}, {3, 3}, {1, 1}, {1, 1}, {1, 1})) +
           p.of_image(p.image(x).unfold(2, 3, 3).mean(4)) * 0;
  });
  add("transforms", [](P& p, T x) {
    const auto t = p.tokens(x);
    auto y = at::fft_irfft(at::fft_rfft(t, {}, 1), 36, 1) +
             at::real(at::fft_ifft(at::fft_fft(t, {}, 1), {}, 1)) +
             at::imag(at::fft_ihfft(t, 36, 1)).mean(1, true) + at::fft_hfft(at::fft_ihfft(t, {}, 1), 36, 1);
    y = y + at::fft_ifftshift(at::fft_fftshift(t, {1}), {1});
    const auto i = p.image(x);
    auto z = at::fft_irfft2(at::fft_rfft2(i), at::IntArrayRef{6, 6}) +
             at::real(at::fft_ifft2(at::conj(at::fft_fft2(i)).resolve_conj()));
    z = z + at::fft_irfftn(at::fft_rfftn(i, {}, {2, 3}), at::IntArrayRef{6, 6}, {2, 3}) +
        at::real(at::fft_ifftn(at::conj_physical(at::fft_fftn(i, {}, {2, 3})), {}, {2, 3}));
    const auto c = at::view_as_complex(at::stack({t, p.more(x)}, 3));
    y = y + at::view_as_real(c * at::complex(t, t)).sum(3) + at::angle(at::polar(at::exp(t), t)) +
        at::real(at::_conj(c));
    return p.of_last(y) + p.of_image(z);
  });
  add("shuffled channels", [](P& p, T x) {
    // ShuffleNet's units, of which each halves what the last one shuffled: 8 = 4·2, cut to 2·2, to 1·4.
    auto y = p.image(x);
    for (const char* name : {"first", "second", "third"}) {
      const auto halves = y.chunk(2, 1);
      y = at::cat({halves[0], at::conv2d(halves[1], p.weight(name, {4, 4, 1, 1}))}, 1);
      y = y.view({2, 2, 4, 6, 6}).transpose(1, 2).reshape({2, 8, 6, 6});
    }
    return p.of_image(y);
  });
  add("broadcast parts", [](P& p, T x) {
    const auto t = p.tokens(x);
    const auto gates = at::linear(t, p.weight("gates", {2, 8}));
    return p.of_last(t * gates.slice(2, 0, 1) + t * gates.slice(2, 1, 2).expand({2, 36, 8}));
  });
  add("repetitions", [](P& p, T x) {
    const auto t = p.tokens(x);
    return p.of_last(t.repeat({1, 1, 2}) + t.tile({2}) + t.repeat_interleave(2, 2));
  });
  add("choices", [](P& p, T x) {
    const auto t = p.tokens(x);
    auto y = std::get<0>(t.topk(36, 1)) + std::get<0>(t.sort(1)) + std::get<0>(t.cummax(1)) +
             std::get<0>(t.cummin(1));
    y = y + at::gather(t, 1, t.argsort(1, false)) + at::pad(at::diff(t, 1, 1), {0, 0, 1, 0});
    return p.of_last(y + at::gather(t, 1, t.argmax(1, true)) + at::gather(t, 1, t.argmin(1, true)));
  });
  add("counting", [](P& p, T x) {
    const auto places = indices(x, {0, 1, 1, 2});
    const auto h = at::histc(p.weight("numbers", {7}), 5, -1, 1) + at::bincount(places, {}, 5) +
                   at::tril_indices(5, 5)[0].slice(0, 0, 5) + at::triu_indices(5, 5)[0].slice(0, 0, 5);
    const auto found =
        at::searchsorted(at::arange(5, x.options()), p.weight("keys", {5})) + at::isin(places, places).sum();
    return p.of_last(p.tokens(x)) + h + found;
  });
  add("lookups", [](P& p, T x) {
    const auto places = indices(x, {0, 2, 4, 1});
    const auto t = p.tokens(x);
    auto y = at::embedding(p.weight("table", {7, 8}), places) + at::index(t, along_tokens(places)) +
             at::index_select(t, 1, places);
    y = y + at::take_along_dim(t, places.view({1, 4, 1}).expand({2, 4, 8}), 1) +
        std::get<0>(at::embedding_bag(p.weight("table", {7, 8}), places, indices(x, {0, 2}))).mean(0);
    return p.of_last(y) + at::one_hot(places, 5).to(x.dtype()).mean(0);
  });
  add("writes by index", [](P& p, T x) {
    const auto places = indices(x, {0, 2, 4, 1});
    const auto t = p.tokens(x), part = p.more(x).slice(1, 0, 4);
    const auto where = places.view({1, 4, 1}).expand({2, 4, 8});
    auto y = at::index_put(t, along_tokens(places), part) + at::index_add(t, 1, places, part) +
             at::index_copy(t, 1, places, part) + at::index_fill(t, 1, places, 0.5);
    y = y + at::scatter(t, 1, where, part) + at::scatter_add(t, 1, where, part) +
        at::scatter_reduce(t, 1, where, part, "sum");
    return p.of_last(at::_index_put_impl_(y, along_tokens(places), part));
  });
  add("factories", [](P& p, T x) {
    const auto t = p.tokens(x);
    const auto o = x.options();
    auto y = t + at::ones({2, 36, 8}, o) + at::full({2, 36, 8}, 0.5, o) + t.new_zeros({2, 36, 8}) +
             t.new_ones({2, 36, 8});
    y = y + t.new_full({2, 36, 8}, 0.5) + at::ones_like(t) + at::full_like(t, 0.5);
    y = y + (at::rand({2, 36, 8}, o) + at::randn({2, 36, 8}, o) + at::rand_like(t) + at::randn_like(t)) * 0;
    y = y + at::linspace(0, 1, 36, o).unsqueeze(1) + at::logspace(0, 1, 36, 2.0, o).unsqueeze(1) +
        at::arange(36, o).unsqueeze(1) * 0.01;
    y = y + at::matmul(at::eye(36, o) + at::tril(at::ones({36, 36}, o)) + at::triu(at::ones({36, 36}, o)), t);
    const auto grid = at::meshgrid({at::arange(6, o), at::arange(6, o)}, "ij");
    const auto noise = at::randint(0, 9, {36}, o) + at::randperm(36, o);
    return p.of_last(y + (grid[0] * grid[1]).flatten().unsqueeze(1) * 0.01 + noise.unsqueeze(1) * 0 +
                     at::scalar_tensor(0.5, o));
  });
  return e;
}

}  // namespace

std::vector<RuleExample> rule_examples() {
  std::vector<RuleExample> all;
  for (auto& [name, run] : named_examples())
    all.push_back({name, [run = std::move(run)] { return traced(run); }});
  return all;
}

}  // namespace inn::test
