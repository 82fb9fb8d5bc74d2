#pragma once
// How widths are drawn.

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace inn {

/// Every number in [lower, upper] alike; of whole numbers, both ends included.
struct Uniform {
  double lower, upper;
  bool operator==(const Uniform&) const = default;
};

/// A normal distribution cut to [lower, upper], in which its mean must lie.
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

/// One of a list, with the given probabilities (any positive scale), or all alike where there are none.
struct Choice {
  std::vector<double> values;
  std::vector<double> probabilities = {};
  bool operator==(const Choice&) const = default;
};

/// One of the four laws.
using Distribution = std::variant<Uniform, TruncatedNormal, LogUniform, Choice>;

/// A distribution of widths, in channels: whole numbers of at least 1.
class SizeDistribution {
 public:
  /// Throws std::invalid_argument, naming the number, where the law is none: lower > upper, a bound,
  /// deviation, probability or value outside its domain, widths that are below 1 or no whole numbers.
  SizeDistribution(Distribution law);
  template <class Law>
  requires std::is_constructible_v<Distribution, Law> SizeDistribution(Law law)
      : SizeDistribution(Distribution(std::move(law))) {}

  /// Returns a width, drawn with `random`; every law but the uniform one is rounded to the nearest whole
  /// number.
  int64_t sample(std::mt19937_64& random) const;
  /// The least and the greatest width that can come.
  int64_t minimum() const;
  int64_t maximum() const;
  const Distribution& law() const { return law_; }
  /// Returns it as `parse` reads it.
  std::string text() const;
  /// Reads what FractionDistribution::parse does, in channels; a normal law must name its bounds.
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

  /// Returns a fraction, drawn with `random`.
  double sample(std::mt19937_64& random) const;
  /// Returns max(1, round(f·n)) for a fraction f drawn with `random`.
  int64_t width(int64_t n, std::mt19937_64& random) const;
  double minimum() const;
  double maximum() const;
  const Distribution& law() const { return law_; }
  /// Returns it as `parse` reads it, to the last bit.
  std::string text() const;

  /// Reads "uniform:0.25,1", "normal:0.5,0.2" (mean and deviation, cut to [0, 1]) or "normal:0.5,0.2,0.25,1",
  /// "loguniform:0.25,1", "choice:1,0.75,0.5,0.25" or, with probabilities, "choice:1@0.5,0.5@0.3,0.25@0.2".
  /// Throws std::invalid_argument naming the text and what is wrong in it; an unknown law gets the nearest
  /// names.
  static FractionDistribution parse(std::string_view text);

 private:
  Distribution law_;
};

/// Returns the width that a fraction of n channels stands for: max(1, round(fraction·n)).
int64_t fraction_width(double fraction, int64_t n);

}  // namespace inn
