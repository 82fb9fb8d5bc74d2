// Examples of rules: views, parts, repetitions, lookups, factories.

#include "networks/rule_pieces.h"

namespace inn::test {
namespace {

at::Tensor indices(const at::Tensor& x, std::vector<int64_t> which) {
  return at::tensor(which, x.options().dtype(at::kLong));
}

/// The indices of aten::index for positions of one axis.
c10::List<std::optional<at::Tensor>> along(int64_t axis, const at::Tensor& places) {
  c10::List<std::optional<at::Tensor>> list;
  for (int64_t d = 0; d < axis; ++d) list.push_back(std::nullopt);
  list.push_back(places);
  return list;
}
c10::List<std::optional<at::Tensor>> along_tokens(const at::Tensor& places) { return along(1, places); }
}  // namespace

std::vector<NamedExample> shape_examples() {
  using P = Pieces;
  using T = const at::Tensor&;
  std::vector<NamedExample> e;
  const auto add = [&](const std::string& name, Example run) { e.push_back({name, std::move(run)}); };
  add("views", [](P& p, T x) {
    const auto t = p.tokens(x);
    auto y = t.view({2, 36, 4, 2}).reshape({2, 36, 2, 4}).flatten(2).unflatten(2, {4, 2}).reshape({2, 36, 8});
    y = at::_unsafe_view(y, {72, 8}).view_as(t.reshape({72, 8})).reshape_as(t);
    return p.of_last(y + p.weight("bias", {2, 4}).ravel());
  });
  add("movements", [](P& p, T x) {
    auto y = p.image(x)
                 .permute({0, 2, 3, 1})
                 .movedim(3, 1)
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
  add("parts counted from the end", [](P& p, T x) {
    const auto t = p.tokens(x);
    const auto i = at::tensor_split(t, at::IntArrayRef{-5, -2}, 2);
    const auto y = at::cat({t.slice(2, -2), t.slice(2, 0, -5), t.narrow(2, -5, 3)}, 2);
    return p.of_last(y + at::cat({i[2], i[0], at::slice_copy(t, 2, -5, -2)}, 2));
  });
  add("lists of neighbours", [](P& p, T x) {
    const auto t = p.tokens(x);
    auto last = at::index(t, along(2, indices(x, {-3, -2, -1})));
    last.mul_(2);  // a copy: t stays as it is
    const auto first = at::index_select(t, 2, indices(x, {0, 1})), middle = t.slice(2, 2, 5);
    return p.of_last(at::cat({first, last, middle}, 2) + t);
  });
  add("interleaved pairs", [](P& p, T x) {
    // Rotary positions of pairs that stand side by side: the pairs are the channels.
    const auto turned = [&](const at::Tensor& y) {
      const auto a = y.slice(2, 0, std::nullopt, 2), b = y.slice(2, 1, std::nullopt, 2);
      const auto cosine = p.weight("cosine", {36, 4}), sine = p.weight("sine", {36, 4});
      const auto pairs = at::stack({a * cosine - b * sine, b * cosine + a * sine}, -1).flatten(-2);
      return pairs + at::stack({-b, a}, -1).flatten(-2) * sine.repeat_interleave(2, -1);
    };
    return p.of_last(at::matmul(turned(p.tokens(x)), turned(p.more(x)).transpose(1, 2)));
  });
  add("split attention", [](P& p, T x) {
    // Two cardinal groups, two parts of each: weights [groups·radix·c] become [radix·groups·c], cut in two.
    const auto y = p.image(x), pooled = y.mean({2, 3}, true);
    const auto weights = at::conv2d(pooled, p.weight("parts", {16, 4, 1, 1}), p.weight("shift", {16}), 1,
                                    at::IntArrayRef{0}, 1, 2);
    const auto parts =
        weights.view({2, 2, 2, 4}).transpose(1, 2).softmax(1).reshape({2, 16, 1, 1}).chunk(2, 1);
    return p.of_image(y * parts[0] + at::relu(y) * parts[1]);
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
  add("complex weights", [](P& p, T x) {
    const auto modes =
        at::einsum("nixy,io->noxy", {at::fft_rfft2(p.image(x)), p.complex_weight("modes", {8, 4})});
    return p.of_image(at::fft_irfft2(modes * p.complex_weight("gain", {4, 1, 1}), at::IntArrayRef{6, 6}));
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

}  // namespace inn::test
