#include "inn/grid/distribution.h"

#include <algorithm>
#include <cmath>

#include "inn/core/error.h"
#include "law.h"

namespace inn {
namespace {

void check_width(const char* name, double value) {
  require(value >= 1 && value == std::floor(value), "grid",
          "Widths: {} must be a positive integer but is {}.", name, value);
}

}  // namespace

SizeDistribution::SizeDistribution(Distribution law) : law_(std::move(law)) {
  laws::check(law_);
  if (const auto* choice = std::get_if<Choice>(&law_)) {
    for (const double value : choice->values) check_width("a choice", value);
  } else {
    check_width("the lower bound", laws::minimum(law_));
    check_width("the upper bound", laws::maximum(law_));
  }
}

int64_t SizeDistribution::sample(std::mt19937_64& random) const {
  if (const auto* uniform = std::get_if<Uniform>(&law_)) {
    const double count = uniform->upper - uniform->lower + 1;
    return static_cast<int64_t>(uniform->lower + std::floor(laws::unit(random) * count));
  }
  return std::llround(laws::sample(law_, random));
}

int64_t SizeDistribution::minimum() const { return std::llround(laws::minimum(law_)); }
int64_t SizeDistribution::maximum() const { return std::llround(laws::maximum(law_)); }
std::string SizeDistribution::text() const { return laws::text(law_); }

SizeDistribution SizeDistribution::parse(std::string_view text) {
  return SizeDistribution(laws::parse(text, {}));
}

FractionDistribution::FractionDistribution(Distribution law) : law_(std::move(law)) {
  laws::check(law_);
  // A normal law may be cut at 0: its smallest fractions stand for one channel.
  const bool normal = std::holds_alternative<TruncatedNormal>(law_);
  require(laws::minimum(law_) > 0 || (normal && laws::minimum(law_) == 0), "grid",
          "Fractions of a width: must be positive but the smallest is {}.", laws::minimum(law_));
}

double FractionDistribution::sample(std::mt19937_64& random) const { return laws::sample(law_, random); }
int64_t FractionDistribution::width(int64_t n, std::mt19937_64& random) const {
  return fraction_width(sample(random), n);
}
double FractionDistribution::minimum() const { return laws::minimum(law_); }
double FractionDistribution::maximum() const { return laws::maximum(law_); }
std::string FractionDistribution::text() const { return laws::text(law_); }

FractionDistribution FractionDistribution::parse(std::string_view text) {
  return FractionDistribution(laws::parse(text, {.lower = 0, .upper = 1}));
}

int64_t fraction_width(double fraction, int64_t n) {
  require(fraction >= 0 && std::isfinite(fraction), "grid",
          "Fraction of a width: must be at least 0 but is {}.", fraction);
  require(n >= 1, "grid", "Fraction of a width: the width must be at least 1 but is {}.", n);
  return std::max<int64_t>(1, std::llround(fraction * static_cast<double>(n)));
}

}  // namespace inn
