#pragma once
// The four distributions: checking, sampling, formatting and parsing.

#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "inn/grid/distribution.h"

namespace inn::laws {

/// Throws std::invalid_argument for invalid parameters.
void check(const Distribution& law);
double minimum(const Distribution& law);
double maximum(const Distribution& law);
/// Returns a random number in [minimum, maximum].
double sample(const Distribution& law, std::mt19937_64& random);
/// Returns a uniform number in [0, 1) from 53 random bits, the same on every platform.
double unit(std::mt19937_64& random);

/// Formats and parses "uniform:0.25,1". The bounds are the default of a normal distribution.
std::string text(const Distribution& law);
struct Bounds {
  std::optional<double> lower, upper;
};
Distribution parse(std::string_view text, const Bounds& bounds);

}  // namespace inn::laws
