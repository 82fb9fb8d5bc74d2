#include "networks/random_network.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <torch/nn/module.h>

#include <functional>
#include <random>

#include "inn/network/files.h"

namespace inn::test {
namespace {

/// Numbers drawn from one choice.
class Draw {
 public:
  explicit Draw(uint64_t seed) : engine_(seed) {}
  int64_t below(int64_t bound) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(bound)); }
  int64_t of(const std::vector<int64_t>& numbers) {
    return numbers[static_cast<size_t>(below(static_cast<int64_t>(numbers.size())))];
  }

 private:
  std::mt19937_64 engine_;
};

/// Holds parameters that are made when they are first asked for.
class Parameters : public torch::nn::Module {
 public:
  at::Tensor get(const std::string& name, at::IntArrayRef sizes) {
    const auto all = named_parameters(false);
    if (const auto* found = all.find(name)) return *found;
    const double scale =
        sizes.size() > 1 ? 1 / std::sqrt(static_cast<double>(c10::multiply_integers(sizes) / sizes[0])) : 1;
    return register_parameter(name, at::randn(sizes) * scale);
  }
  at::Tensor buffer(const std::string& name, const at::Tensor& otherwise) {
    const auto all = named_buffers(false);
    if (const auto* found = all.find(name)) return *found;
    return register_buffer(name, otherwise);
  }
};

/// One run of the steps: `x` is an image [n, c, h, w] or tokens [n, t, c].
class Run {
 public:
  Run(Parameters& parameters, at::Tensor images) : parameters_(parameters), x(std::move(images)) {}

  bool is_image() const { return x.dim() == 4; }
  int64_t channels() const { return is_image() ? x.size(1) : x.size(2); }
  at::Tensor weight(const std::string& name, at::IntArrayRef sizes) {
    return parameters_.get(fmt::format("step{}_{}", step, name), sizes);
  }
  at::Tensor linear(const at::Tensor& in, int64_t out, const std::string& name) {
    return at::linear(in, weight(name, {out, in.size(-1)}), weight(name + "_bias", {out}));
  }
  at::Tensor conv(const at::Tensor& in, int64_t out, int64_t kernel, int64_t groups,
                  const std::string& name) {
    return at::conv2d(in, weight(name, {out, in.size(1) / groups, kernel, kernel}),
                      weight(name + "_bias", {out}), 1, kernel / 2, 1, groups);
  }
  /// `in` at the width and place of x, so that they can be added.
  at::Tensor projected(const at::Tensor& in) {
    return is_image() ? conv(in, channels(), 1, 1, "project") : linear(in, channels(), "project");
  }
  Parameters& parameters() { return parameters_; }

 private:
  Parameters& parameters_;

 public:
  at::Tensor x;
  std::vector<at::Tensor> kept;  // earlier values, partners of additions and concatenations
  size_t step = 0;
};

using Action = std::function<void(Run&, Draw&)>;
struct Kind {
  std::string name;
  Action apply;
};

Action on_images(Action apply) {
  return [apply = std::move(apply)](Run& run, Draw& draw) {
    if (run.is_image()) apply(run, draw);
  };
}
Action on_tokens(Action apply) {
  return [apply = std::move(apply)](Run& run, Draw& draw) {
    if (!run.is_image()) apply(run, draw);
  };
}

const std::vector<int64_t> kWidths{4, 6, 8, 12};

at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool fused) {
  if (fused) return at::scaled_dot_product_attention(q, k, v);
  return at::matmul(at::softmax(at::matmul(q, k.transpose(-2, -1)) * 0.5, -1), v);
}

void fused_attention(Run& run, Draw& draw) {
  const int64_t heads = draw.of({1, 2, 3}), depth = draw.of({2, 4}), n = run.x.size(0), t = run.x.size(1);
  const auto qkv =
      run.linear(run.x, 3 * heads * depth, "qkv").reshape({n, t, 3, heads, depth}).permute({2, 0, 3, 1, 4});
  const auto parts = qkv.unbind(0);
  const auto out = attend(parts[0], parts[1], parts[2], draw.below(2) == 0);
  run.x = run.x + run.linear(out.transpose(1, 2).reshape({n, t, heads * depth}), run.channels(), "out");
}

void grouped_attention(Run& run, Draw& draw) {
  const int64_t shared = draw.of({1, 2}), repeats = draw.of({1, 2}), depth = draw.of({2, 4});
  const int64_t n = run.x.size(0), t = run.x.size(1), heads = shared * repeats;
  const auto head_axes = [&](const at::Tensor& in, int64_t count) {
    return in.view({n, t, count, depth}).transpose(1, 2);
  };
  auto q = head_axes(run.linear(run.x, heads * depth, "q"), heads);
  auto k = head_axes(run.linear(run.x, shared * depth, "k"), shared);
  const auto v = head_axes(run.linear(run.x, shared * depth, "v"), shared);
  // Rotary positions: the halves of the head dimension stay together.
  const auto angles = at::arange(t, run.x.options()).unsqueeze(1) *
                      run.parameters().buffer("frequencies" + std::to_string(depth),
                                              1 / (1 + at::arange(depth / 2, run.x.options())));
  const auto table = at::cat({angles, angles}, -1), cosine = table.cos(), sine = table.sin();
  const auto rotate = [&](const at::Tensor& in) {
    const auto halves = in.chunk(2, -1);
    return in * cosine + at::cat({-halves[1], halves[0]}, -1) * sine;
  };
  q = rotate(q);
  k = rotate(k);
  const auto spread = [&](const at::Tensor& in) {
    return in.unsqueeze(2).expand({n, shared, repeats, t, depth}).reshape({n, heads, t, depth});
  };
  const auto out = attend(q, spread(k), spread(v), draw.below(2) == 0);
  run.x = run.x + run.linear(out.transpose(1, 2).reshape({n, t, -1}), run.channels(), "out");
}

void recur(Run& run, Draw& draw) {
  const int64_t hidden = draw.of({3, 4}), n = run.x.size(0);
  const bool both = draw.below(2) == 1;
  std::vector<at::Tensor> params;
  for (int64_t d = 0; d < (both ? 2 : 1); ++d) {
    const auto name = [&](const char* part) { return fmt::format("{}{}", part, d); };
    params.push_back(run.weight(name("w_ih"), {4 * hidden, run.channels()}));
    params.push_back(run.weight(name("w_hh"), {4 * hidden, hidden}));
    params.push_back(run.weight(name("b_ih"), {4 * hidden}));
    params.push_back(run.weight(name("b_hh"), {4 * hidden}));
  }
  const auto zeros = at::zeros({both ? 2 : 1, n, hidden}, run.x.options());
  run.x = std::get<0>(at::lstm(run.x, {zeros, zeros}, params, true, 1, 0.0, false, both, true));
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"conv", on_images([](Run& r, Draw& d) {
         r.x = r.conv(r.x, d.of(kWidths), d.of({1, 3}), 1, "conv");
       })},
      {"grouped conv", on_images([](Run& r, Draw& d) {
         const int64_t groups = d.of({2, 3});
         if (r.channels() % groups == 0) r.x = r.conv(r.x, groups * d.of({1, 2, 4}), 3, groups, "conv");
       })},
      {"depthwise conv", on_images([](Run& r, Draw& d) {
         r.x = r.conv(r.x, r.channels() * d.of({1, 2}), 3, r.channels(), "conv");
       })},
      {"transposed conv", on_images([](Run& r, Draw& d) {
         r.x = at::conv_transpose2d(r.x, r.weight("conv", {r.channels(), d.of(kWidths), 1, 1}));
       })},
      {"batch norm", on_images([](Run& r, Draw&) {
         const int64_t c = r.channels();
         const auto mean = r.parameters().buffer(fmt::format("mean{}", r.step), at::randn({c}));
         const auto variance =
             r.parameters().buffer(fmt::format("running_var{}", r.step), at::rand({c}) + 0.5);
         r.x = at::batch_norm(r.x, r.weight("gain", {c}), r.weight("shift", {c}), mean, variance, false, 0.1,
                              1e-5, false);
       })},
      {"group norm", on_images([](Run& r, Draw&) {
         if (r.channels() % 2 == 0)
           r.x = at::group_norm(r.x, 2, r.weight("gain", {r.channels()}), r.weight("shift", {r.channels()}));
       })},
      {"activation", [](Run& r, Draw& d) { r.x = d.below(2) == 0 ? at::relu(r.x) : at::silu(r.x); }},
      {"keep", [](Run& r, Draw&) { r.kept.push_back(r.x); }},
      {"add",
       [](Run& r, Draw& d) {
         if (r.kept.empty()) return;
         const auto partner = r.kept[static_cast<size_t>(d.below(static_cast<int64_t>(r.kept.size())))];
         if (partner.sizes() == r.x.sizes()) {
           r.x = r.x + partner;
         } else if (partner.dim() == r.x.dim() && partner.size(-2) == r.x.size(-2)) {
           if (!r.is_image() || partner.size(-1) == r.x.size(-1)) r.x = r.x + r.projected(partner);
         }
       }},
      {"concatenate", on_images([](Run& r, Draw& d) {
         if (r.kept.empty()) return;
         const auto partner = r.kept[static_cast<size_t>(d.below(static_cast<int64_t>(r.kept.size())))];
         if (partner.dim() == 4 && partner.size(2) == r.x.size(2)) r.x = at::cat({partner, r.x}, 1);
       })},
      {"gate",
       [](Run& r, Draw&) {
         if (r.channels() % 2 != 0) return;
         const auto halves = r.x.chunk(2, r.is_image() ? 1 : 2);
         r.x = halves[0] * at::sigmoid(halves[1]);
       }},
      {"split and swap", on_images([](Run& r, Draw& d) {
         const int64_t c = r.channels(), cut = 1 + d.below(std::max<int64_t>(1, c - 1));
         if (c < 2) return;
         const auto parts = at::split_with_sizes(r.x, {cut, c - cut}, 1);
         r.x = at::cat({at::relu(parts[1]), parts[0]}, 1);
       })},
      {"slice and pad", on_images([](Run& r, Draw& d) {
         const int64_t c = r.channels(), cut = 1 + d.below(c);
         r.x = at::pad(r.x.slice(1, 0, cut), {0, 0, 0, 0, 1, 2});
       })},
      {"squeeze and excite", on_images([](Run& r, Draw&) {
         auto s = r.conv(at::adaptive_avg_pool2d(r.x, {1, 1}), 2, 1, 1, "squeeze");
         r.x = r.x * at::sigmoid(r.conv(at::relu(s), r.channels(), 1, 1, "excite"));
       })},
      {"shuffle channels", on_images([](Run& r, Draw&) {
         const int64_t c = r.channels(), n = r.x.size(0), h = r.x.size(2), w = r.x.size(3);
         if (c % 2 == 0) r.x = r.x.view({n, 2, c / 2, h, w}).transpose(1, 2).reshape({n, -1, h, w});
       })},
      {"shuffled unit", on_images([](Run& r, Draw&) {
         const int64_t c = r.channels(), n = r.x.size(0), h = r.x.size(2), w = r.x.size(3);
         if (c % 2 != 0) return;
         const auto halves = r.x.chunk(2, 1);
         r.x = at::cat({halves[0], r.conv(halves[1], c / 2, 1, 1, "branch")}, 1);
         r.x = r.x.view({n, 2, c / 2, h, w}).transpose(1, 2).reshape({n, -1, h, w});
       })},
      {"unequal parts", on_images([](Run& r, Draw&) {
         if (r.channels() % 3 == 0 || r.channels() < 5) return;  // equal parts, or fewer than three
         const auto parts = r.x.chunk(3, 1);
         r.x = at::cat({parts[2], at::relu(parts[0]), parts[1]}, 1);
       })},
      {"parts from the end", on_images([](Run& r, Draw& d) {
         const int64_t c = r.channels(), cut = 1 + d.below(c);
         if (cut == c) return;
         std::vector<int64_t> last;
         for (int64_t k = c - cut; k < c; ++k) last.push_back(k);
         const auto end =
             d.below(2) == 0 ? r.x.slice(1, -cut) : at::index_select(r.x, 1, at::tensor(last, at::kLong));
         r.x = at::cat({at::relu(end), r.x.slice(1, 0, -cut)}, 1);
       })},
      {"interleaved pairs", on_images([](Run& r, Draw&) {
         if (r.channels() % 2 != 0) return;
         const auto a = r.x.slice(1, 0, std::nullopt, 2), b = r.x.slice(1, 1, std::nullopt, 2);
         const auto turn = r.weight("turn", {r.channels() / 2, 1, 1});
         r.x = at::stack({a * turn - b, b * turn + a}, 2).flatten(1, 2);
       })},
      {"gate by one channel", on_images([](Run& r, Draw&) {
         const auto gates = r.conv(r.x, 3, 1, 1, "gates");
         r.x = r.x * gates.slice(1, 0, 1) + r.x * at::sigmoid(gates.slice(1, 1, 2));
       })},
      {"shuffle pixels", on_images([](Run& r, Draw&) {
         if (r.x.size(2) % 2 == 0)
           r.x = at::pixel_unshuffle(r.x, 2);
         else if (r.channels() % 4 == 0)
           r.x = at::pixel_shuffle(r.x, 2);
       })},
      {"pool", on_images([](Run& r, Draw&) {
         if (r.x.size(2) >= 4) r.x = at::max_pool2d(r.x, 2);
       })},
      {"to tokens", on_images([](Run& r, Draw&) { r.x = r.x.flatten(2).transpose(1, 2); })},
      {"linear", on_tokens([](Run& r, Draw& d) { r.x = r.linear(r.x, d.of(kWidths), "linear"); })},
      {"layer norm", on_tokens([](Run& r, Draw&) {
         r.x = at::layer_norm(r.x, {r.channels()}, r.weight("gain", {r.channels()}),
                              r.weight("shift", {r.channels()}));
       })},
      {"perceptron", on_tokens([](Run& r, Draw& d) {
         r.x = r.x + r.linear(at::gelu(r.linear(r.x, d.of(kWidths), "up")), r.channels(), "down");
       })},
      {"attention", on_tokens(fused_attention)},
      {"grouped attention", on_tokens(grouped_attention)},
      {"lstm", on_tokens(recur)},
      {"transform", on_tokens([](Run& r, Draw&) { r.x = at::real(at::fft_fft(r.x, {}, 1)); })},
      {"einsum", on_tokens([](Run& r, Draw& d) {
         r.x = at::einsum("btc, hc -> bth", {r.x, r.weight("mix", {d.of(kWidths), r.channels()})});
       })},
      {"class token", on_tokens([](Run& r, Draw&) {
         const auto token = r.weight("token", {1, 1, r.channels()}).expand({r.x.size(0), -1, -1});
         r.x = at::cat({token, r.x}, 1);
       })},
      {"positions", on_tokens([](Run& r, Draw&) {
         r.x = r.x + r.weight("positions", {1, r.x.size(1), r.channels()});
       })},
      {"scale",
       [](Run& r, Draw&) {
         const auto scale = r.weight("scale", {r.channels()});
         r.x = r.x * (r.is_image() ? scale.view({-1, 1, 1}) : scale);
       }},
  };
  return all;
}

}  // namespace

const std::vector<std::string>& random_step_kinds() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> found;
    for (const auto& kind : kinds()) found.push_back(kind.name);
    return found;
  }();
  return names;
}

std::vector<RandomStep> random_steps(uint64_t seed, size_t count) {
  std::mt19937_64 engine(seed);
  std::vector<RandomStep> steps;
  for (size_t i = 0; i < count; ++i) steps.push_back({engine() % kinds().size(), engine()});
  return steps;
}

Network random_network(const std::vector<RandomStep>& steps, uint64_t seed, int64_t batch) {
  const at::NoGradGuard no_grad;
  at::manual_seed(seed);
  const auto parameters = std::make_shared<Parameters>();
  const auto forward = [&](const at::Tensor& images) {
    Run run(*parameters, images);
    run.x = run.conv(run.x, 6, 3, 1, "stem");
    for (const auto& step : steps) {
      ++run.step;
      Draw draw(step.choice);
      kinds()[step.kind].apply(run, draw);
    }
    ++run.step;
    const auto pooled = run.is_image() ? run.x.mean({2, 3}) : run.x.mean(1);
    return run.linear(pooled, 5, "head");
  };
  const auto images = at::randn({batch, 3, 8, 8});
  forward(images);  // makes the parameters
  return trace(*parameters, forward, images);
}

std::string describe(const std::vector<RandomStep>& steps) {
  std::vector<std::string> names;
  for (const auto& step : steps) names.push_back(random_step_kinds()[step.kind]);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace inn::test
