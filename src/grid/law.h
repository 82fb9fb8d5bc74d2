#pragma once
// The four laws behind both distributions: checked, drawn from, written and read.

#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "inn/grid/distribution.h"

namespace inn::laws {

/// Throws std::invalid_argument unless the law's own numbers make sense.
void check(const Distribution& law);
double minimum(const Distribution& law);
double maximum(const Distribution& law);
/// Returns a number of the law, [minimum, maximum].
double sample(const Distribution& law, std::mt19937_64& random);
/// Returns a number uniform in [0, 1): 53 random bits, alike on every platform.
double unit(std::mt19937_64& random);

/// Writes and reads "uniform:0.25,1". The bounds are those of a normal law that names none.
std::string text(const Distribution& law);
struct Bounds {
  std::optional<double> lower, upper;
};
Distribution parse(std::string_view text, const Bounds& bounds);

}  // namespace inn::laws
