#include "inn/train/attack.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <array>
#include <cmath>
#include <optional>
#include <string_view>

#include "inn/core/error.h"
#include "number_text.h"

namespace inn {
namespace {

constexpr std::array<double, 5> kNoise{0.04, 0.06, 0.08, 0.09, 0.10}, kBlur{0.4, 0.6, 0.7, 0.8, 1.0},
    kContrast{0.75, 0.5, 0.4, 0.3, 0.15};

/// "8/255" or "0.03".
std::optional<double> number_of(std::string_view text) {
  double above = 0, below = 1;
  const auto slash = text.find('/');
  if (!parse_number(text.substr(0, slash), above)) return {};
  if (slash != text.npos && !parse_number(text.substr(slash + 1), below)) return {};
  const double number = above / below;
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

/// Images scaled to [0, 1], and back: mean and standard deviation by channel, [1, C, 1, 1].
struct Scale {
  at::Tensor mean, std;

  Scale(const Normalization& normalization, const at::Tensor& images) {
    require(images.dim() == 4, "train", "Attacks and corruptions take images [N, C, H, W] but got {} axes.",
            images.dim());
    const auto along = [&](const std::vector<double>& numbers, double missing) {
      const auto tensor =
          at::tensor(numbers.empty() ? std::vector<double>{missing} : numbers, images.options());
      return tensor.view({1, -1, 1, 1});
    };
    mean = along(normalization.mean, 0);
    std = along(normalization.std, 1);
  }
  at::Tensor pixels(const at::Tensor& images) const { return images * std + mean; }
  at::Tensor normalized(const at::Tensor& pixels) const { return (pixels - mean) / std; }
};

at::Tensor random_like(const at::Tensor& images, uint64_t seed, bool is_normal) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto made = is_normal ? at::randn(images.sizes(), generator) : at::rand(images.sizes(), generator);
  return made.to(images.options());
}

at::Tensor losses(const ForwardFunction& forward, const at::Tensor& images, const at::Tensor& labels) {
  return at::cross_entropy_loss(forward(images), labels, {}, at::Reduction::None);
}

at::Tensor blurred(const at::Tensor& pixels, double deviation) {
  const auto radius = static_cast<int64_t>(std::ceil(3 * deviation));
  const auto places = at::arange(-radius, radius + 1, pixels.options());
  auto taps = (-places.square() / (2 * deviation * deviation)).exp();
  taps = taps / taps.sum();
  const int64_t channels = pixels.size(1);
  require(radius < std::min(pixels.size(2), pixels.size(3)), "train",
          "Corruption blur: images of {}×{} are too small.", pixels.size(2), pixels.size(3));
  const auto padded = at::reflection_pad2d(pixels, {radius, radius, radius, radius});
  const auto rows = at::conv2d(padded, taps.view({1, 1, -1, 1}).repeat({channels, 1, 1, 1}), {}, 1,
                               at::IntArrayRef{0}, 1, channels);
  return at::conv2d(rows, taps.view({1, 1, 1, -1}).repeat({channels, 1, 1, 1}), {}, 1, at::IntArrayRef{0}, 1,
                    channels);
}

}  // namespace

Attack Attack::parse(const std::string& text) {
  const auto fail = [&](const std::string& why) {
    raise("train", "Attack '{}': {} It is fgsm:eps=8/255 or pgd:eps=8/255,steps=20,restarts=3.", text, why);
  };
  Attack attack;
  const auto colon = text.find(':');
  attack.kind = text.substr(0, colon);
  if (attack.kind != "fgsm" && attack.kind != "pgd") fail("unknown kind.");
  for (size_t at = colon; at != std::string::npos;) {
    const auto end = text.find(',', at + 1);
    const auto part = text.substr(at + 1, end == std::string::npos ? end : end - at - 1);
    const auto equals = part.find('=');
    const auto name = part.substr(0, equals);
    const auto value = equals == std::string::npos ? std::nullopt : number_of(part.substr(equals + 1));
    if (!value) fail("'" + part + "' is no number.");
    const bool is_count = name == "steps" || name == "restarts";
    if (is_count && (*value < 1 || *value > 1e6 || *value != std::floor(*value)))
      fail(name + " must be an integer from 1.");
    if (name == "eps" && (*value <= 0 || *value > 1)) fail("eps must be in (0, 1].");
    if (name == "step" && *value <= 0) fail("step must be positive.");
    if (name == "eps") {
      attack.eps = *value;
    } else if (attack.kind == "pgd" && name == "steps") {
      attack.steps = static_cast<int64_t>(*value);
    } else if (attack.kind == "pgd" && name == "restarts") {
      attack.restarts = static_cast<int64_t>(*value);
    } else if (attack.kind == "pgd" && name == "step") {
      attack.step = *value;
    } else {
      fail("unknown parameter '" + name + "'.");
    }
    at = end;
  }
  return attack;
}

at::Tensor attacked(const ForwardFunction& forward, const at::Tensor& images, const at::Tensor& labels,
                    const Attack& attack, const Normalization& normalization, uint64_t seed) {
  require(labels.dim() == 1 && !labels.is_floating_point(), "train",
          "Attacks need one class label an image.");
  const Scale scale(normalization, images);
  const at::Tensor source = scale.pixels(images).detach();
  const bool is_single = attack.kind == "fgsm";
  const int64_t steps = is_single ? 1 : attack.steps, restarts = is_single ? 1 : attack.restarts;
  const double step = is_single         ? attack.eps
                      : attack.step > 0 ? attack.step
                                        : 2.5 * attack.eps / static_cast<double>(steps);
  at::Tensor worst = images, largest;
  for (int64_t r = 0; r < restarts; ++r) {
    at::Tensor pixels = source;
    if (!is_single)
      pixels = (source + attack.eps * (2 * random_like(images, seed + static_cast<uint64_t>(r), false) - 1))
                   .clamp(0, 1);
    for (int64_t s = 0; s < steps; ++s) {
      at::Tensor gradient;
      {
        const at::AutoGradMode gradients(true);
        const at::Tensor leaf = pixels.detach().requires_grad_(true);
        gradient = torch::autograd::grad({losses(forward, scale.normalized(leaf), labels).sum()}, {leaf})[0];
      }
      pixels = pixels + step * gradient.sign();
      pixels = at::max(at::min(pixels, source + attack.eps), source - attack.eps).clamp(0, 1);
    }
    const at::Tensor made = scale.normalized(pixels), loss = losses(forward, made, labels).detach();
    if (!largest.defined()) {
      worst = made;
      largest = loss;
      continue;
    }
    const at::Tensor is_worse = loss > largest;
    worst = at::where(is_worse.view({-1, 1, 1, 1}), made, worst);
    largest = at::max(largest, loss);
  }
  return worst.detach();
}

Corruption Corruption::parse(const std::string& text) {
  const auto colon = text.find(':');
  const Corruption corruption{text.substr(0, colon),
                              colon != std::string::npos && colon + 2 == text.size() ? text.back() - '0' : 0};
  const bool is_known =
      corruption.kind == "noise" || corruption.kind == "blur" || corruption.kind == "contrast";
  require(is_known && corruption.severity >= 1 && corruption.severity <= 5, "train",
          "Corruption '{}': must be noise, blur or contrast with a severity from 1 to 5, e.g. noise:3.",
          text);
  return corruption;
}

at::Tensor corrupted(const at::Tensor& images, const Corruption& corruption,
                     const Normalization& normalization, uint64_t seed) {
  const Scale scale(normalization, images);
  const auto k = static_cast<size_t>(corruption.severity - 1);
  at::Tensor pixels = scale.pixels(images);
  if (corruption.kind == "noise") {
    pixels = pixels + kNoise.at(k) * random_like(images, seed, true);
  } else if (corruption.kind == "blur") {
    pixels = blurred(pixels, kBlur.at(k));
  } else {
    const at::Tensor mean = pixels.mean({1, 2, 3}, true);
    pixels = (pixels - mean) * kContrast.at(k) + mean;
  }
  return scale.normalized(pixels.clamp(0, 1));
}

}  // namespace inn
