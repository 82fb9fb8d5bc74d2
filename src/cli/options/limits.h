#pragma once
// Checks of numbers on the command line.

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <string>

#include "inn/core/error.h"

namespace inn::cli {

/// Accepts finite numbers of at least `least`.
inline CLI::Validator at_least(double least) {
  const auto check = [least](const std::string& text) -> std::string {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_number = error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
    return is_number && value >= least
               ? ""
               : fmt::format("must be a number of at least {} but got '{}'", least, text);
  };
  return CLI::Validator(check, "");
}

}  // namespace inn::cli
