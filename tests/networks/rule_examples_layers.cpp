// Examples of rules: norms, convolutions, pools, products, attention, recurrent layers.

#include "networks/rule_pieces.h"

namespace inn::test {
namespace {

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
}  // namespace

std::vector<NamedExample> layer_examples() {
  using P = Pieces;
  using T = const at::Tensor&;
  std::vector<NamedExample> e;
  const auto add = [&](const std::string& name, Example run) { e.push_back({name, std::move(run)}); };
  add("batch norm", [](P& p, T x) {
    const auto mean = p.weight("mean", {8}), variance = at::exp(p.weight("variance", {8}));
    return p.of_image(at::batch_norm(p.image(x), p.weight("g", {8}), p.weight("b", {8}), mean, variance,
                                     false, 0.1, 1e-5, false));
  });
  add("batch norms of decompositions", [](P& p, T x) {
    const auto statistic = [&](const char* name) { return at::exp(p.weight(name, {8})); };
    const auto gain = p.weight("g", {8}), shift = p.weight("b", {8});
    auto mean = statistic("mean"), variance = statistic("variance");
    auto y = std::get<0>(at::native_batch_norm(p.image(x), gain, shift, mean, variance, false, 0.1, 1e-5));
    y = std::get<0>(at::_native_batch_norm_legit_no_training(y, gain, shift, mean, variance, 0.1, 1e-5));
    y = std::get<0>(at::_native_batch_norm_legit(y, gain, shift, mean, variance, false, 0.1, 1e-5));
    y = std::get<0>(at::_batch_norm_no_update(y, gain, shift, mean, variance, 0.1, 1e-5));
    return p.of_image(y);
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
  add("experts", [](P& p, T x) {
    // Of widths that torch's own kernel takes: multiples of four floats.
    const auto rows = p.tokens(x).reshape({72, 8});
    const auto ends = at::tensor({20, 20, 71}, x.options().dtype(at::kInt));
    const auto hidden = at::_grouped_mm(rows, p.weight("up", {3, 12, 8}).transpose(1, 2), ends);
    const auto down = at::_grouped_mm(at::silu(hidden), p.weight("down", {3, 12, 8}), ends);
    return p.of_last((down.slice(0, 0, 71).sum(0, true) + rows).view({2, 36, 8}));
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
  return e;
}

}  // namespace inn::test
