#pragma once
// Distributions of widths.

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace inn {

/// Uniform on [lower, upper]; for integers, both ends included.
struct Uniform {
  double lower, upper;
  bool operator==(const Uniform&) const = default;
};

/// A normal distribution truncated to [lower, upper], which must contain its mean.
struct TruncatedNormal {
  double mean, deviation, lower, upper;
  bool operator==(const TruncatedNormal&) const = default;
};

/// A number whose logarithm is uniform in [log lower, log upper]: halving is as likely from any width. 0 <
/// lower.
struct LogUniform {
  double lower, upper;
  bool operator==(const LogUniform&) const = default;
};

/// One of a list, with the given (unnormalized) probabilities, or with equal ones if there are none.
struct Choice {
  std::vector<double> values;
  std::vector<double> probabilities = {};
  bool operator==(const Choice&) const = default;
};

/// One of the four distributions.
using Distribution = std::variant<Uniform, TruncatedNormal, LogUniform, Choice>;

/// A distribution of widths in channels: positive integers.
class SizeDistribution {
 public:
  /// Throws std::invalid_argument, naming the number, for lower > upper, a bound, standard deviation,
  /// probability or value outside its domain, and widths that are not positive integers.
  SizeDistribution(Distribution law);
  template <class Law>
  requires std::is_constructible_v<Distribution, Law> SizeDistribution(Law law)
      : SizeDistribution(Distribution(std::move(law))) {}

  /// Returns a random width; except for the uniform distribution, numbers are rounded to the nearest integer.
  int64_t sample(std::mt19937_64& random) const;
  /// The smallest and the largest possible width.
  int64_t minimum() const;
  int64_t maximum() const;
  const Distribution& law() const { return law_; }
  /// Returns it in the form that `parse` accepts.
  std::string text() const;
  /// Parses what FractionDistribution::parse accepts, in channels; a normal distribution requires bounds.
  static SizeDistribution parse(std::string_view text);

 private:
  Distribution law_;
};

/// A distribution of fractions of a group's width, above 0. Fractions above 1 are widths above the source's.
class FractionDistribution {
 public:
  /// Throws std::invalid_argument as SizeDistribution does.
  FractionDistribution(Distribution law);
  template <class Law>
  requires std::is_constructible_v<Distribution, Law> FractionDistribution(Law law)
      : FractionDistribution(Distribution(std::move(law))) {}

  /// Returns a random fraction.
  double sample(std::mt19937_64& random) const;
  /// Returns max(1, round(f·n)) for a fraction f drawn with `random`.
  int64_t width(int64_t n, std::mt19937_64& random) const;
  double minimum() const;
  double maximum() const;
  const Distribution& law() const { return law_; }
  /// Returns it in the form that `parse` accepts, exactly.
  std::string text() const;

  /// Parses "uniform:0.25,1", "normal:0.5,0.2" (mean and standard deviation, truncated to [0, 1]) or
  /// "normal:0.5,0.2,0.25,1", "loguniform:0.25,1", "choice:1,0.75,0.5,0.25" or, with probabilities,
  /// "choice:1@0.5,0.5@0.3,0.25@0.2". Throws std::invalid_argument naming the text and the error in it, with
  /// the nearest names for an unknown distribution.
  static FractionDistribution parse(std::string_view text);

 private:
  Distribution law_;
};

/// Returns the width for a fraction of n channels: max(1, round(fraction·n)).
int64_t fraction_width(double fraction, int64_t n);

}  // namespace inn
