#include "law.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "inn/core/error.h"

namespace inn::laws {
namespace {

void check_bounds(const char* name, double lower, double upper) {
  require(std::isfinite(lower) && std::isfinite(upper) && lower <= upper, "grid",
          "Distribution '{}': the bounds must be finite and in order but are {} and {}.", name, lower, upper);
}

void check_law(const Uniform& law) { check_bounds("uniform", law.lower, law.upper); }

void check_law(const TruncatedNormal& law) {
  check_bounds("normal", law.lower, law.upper);
  require(std::isfinite(law.deviation) && law.deviation > 0, "grid",
          "Distribution 'normal': the standard deviation must be positive but is {}.", law.deviation);
  require(law.mean >= law.lower && law.mean <= law.upper, "grid",
          "Distribution 'normal': the mean must be in [{}, {}] but is {}.", law.lower, law.upper, law.mean);
}

void check_law(const LogUniform& law) {
  check_bounds("loguniform", law.lower, law.upper);
  require(law.lower > 0, "grid", "Distribution 'loguniform': the lower bound must be positive but is {}.",
          law.lower);
}

void check_law(const Choice& law) {
  require(!law.values.empty(), "grid", "Distribution 'choice': at least one value is required but got none.");
  for (const double value : law.values)
    require(std::isfinite(value), "grid", "Distribution 'choice': values must be finite but one is {}.",
            value);
  require(law.probabilities.empty() || law.probabilities.size() == law.values.size(), "grid",
          "Distribution 'choice': {} values need as many probabilities, or none, but got {}.",
          law.values.size(), law.probabilities.size());
  double sum = law.probabilities.empty() ? 1 : 0;
  for (const double probability : law.probabilities) {
    require(std::isfinite(probability) && probability >= 0, "grid",
            "Distribution 'choice': probabilities must be at least 0 but one is {}.", probability);
    sum += probability;
  }
  require(sum > 0, "grid", "Distribution 'choice': the probabilities must not all be 0.");
}

double lowest(const Choice& law) { return *std::min_element(law.values.begin(), law.values.end()); }
double lowest(const auto& law) { return law.lower; }
double highest(const Choice& law) { return *std::max_element(law.values.begin(), law.values.end()); }
double highest(const auto& law) { return law.upper; }

double draw(const Uniform& law, double u) { return law.lower + u * (law.upper - law.lower); }

double draw(const LogUniform& law, double u) { return law.lower * std::pow(law.upper / law.lower, u); }

double draw(const TruncatedNormal& law, double u) {
  const auto probability = [&](double x) {
    return std::erfc((law.mean - x) / (law.deviation * std::numbers::sqrt2)) / 2;
  };
  const double least = probability(law.lower);
  const double wanted = least + u * (probability(law.upper) - least);
  double low = law.lower, high = law.upper;
  // Bisection: no draw is thrown away, so a draw always takes one random number.
  for (int step = 0; step < 60; ++step) {
    const double middle = low + (high - low) / 2;
    (probability(middle) < wanted ? low : high) = middle;
  }
  return high;
}

double draw(const Choice& law, double u) {
  if (law.probabilities.empty())
    return law.values[static_cast<size_t>(u * static_cast<double>(law.values.size()))];
  double left = u * std::accumulate(law.probabilities.begin(), law.probabilities.end(), 0.0);
  size_t last = 0;
  for (size_t k = 0; k < law.values.size(); ++k) {
    if (law.probabilities[k] == 0) continue;
    if (left < law.probabilities[k]) return law.values[k];
    left -= law.probabilities[k];
    last = k;
  }
  return law.values[last];
}

}  // namespace

void check(const Distribution& law) {
  std::visit([](const auto& one) { check_law(one); }, law);
}
double minimum(const Distribution& law) {
  return std::visit([](const auto& one) { return lowest(one); }, law);
}
double maximum(const Distribution& law) {
  return std::visit([](const auto& one) { return highest(one); }, law);
}
double unit(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

double sample(const Distribution& law, std::mt19937_64& random) {
  const double u = unit(random);
  const double drawn = std::visit([&](const auto& one) { return draw(one, u); }, law);
  return std::clamp(drawn, minimum(law), maximum(law));
}

}  // namespace inn::laws
