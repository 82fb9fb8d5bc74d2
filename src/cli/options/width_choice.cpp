#include "options/width_choice.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>

#include "inn/core/error.h"
#include "options/limits.h"
#include "options/usage_error.h"

namespace inn::cli {
namespace {

/// No group grows beyond this: an integral model's does not, and pruning cuts.
constexpr double kLargestFraction = 8;

/// Reads "layer1.0.conv1=12": the name, and the number behind the last '='.
template <class Number>
std::pair<std::string, Number> read_named(const char* option, const std::string& text, const char* form,
                                          const char* number_form) {
  const auto equals = text.rfind('=');
  require<UsageError>(equals != std::string::npos && equals > 0, "cli", "{} '{}': must be {}.", option, text,
                      form);
  const std::string digits = text.substr(equals + 1);
  Number number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  require<UsageError>(error == std::errc() && end == digits.data() + digits.size(), "cli",
                      "{} '{}': {} but got '{}'.", option, text, number_form, digits);
  return {text.substr(0, equals), number};
}

std::pair<std::string, double> parse_keep_of(const std::string& text) {
  auto named = read_named<double>("--keep-of", text, "PATTERN=F", "the fraction must be a number");
  check_fraction("--keep-of", named.second);
  return named;
}

}  // namespace

std::pair<std::string, int64_t> read_named_count(const char* option, const std::string& text,
                                                 const std::string& what) {
  const std::string form = "the " + what + " must be a positive integer";
  auto named = read_named<int64_t>(option, text, "NAME=N", form.c_str());
  require<UsageError>(named.second >= 1, "cli", "{} '{}': {} but got '{}'.", option, text, form,
                      named.second);
  return named;
}

void add_fraction_options(CLI::App& app, WidthChoice& choice) {
  app.add_option("--groups", choice.groups,
                 "Groups to resize (glob); default: all, but only one factor of each product (heads, not "
                 "also the head dimension; see inn groups)")
      ->type_name("PATTERN");
  app.add_option("--exclude", choice.exclude, "Groups to leave unchanged (glob)")->type_name("PATTERN");
  app.add_option("--round-to", choice.limits.round_to,
                 "Round widths to multiples of N; groups narrower than N are unchanged")
      ->type_name("N")
      ->capture_default_str()
      ->check(at_least(1));
  app.add_flag("--round-up", choice.round_up, "Round up to the next multiple of --round-to");
  app.add_option("--min-width", choice.limits.min_width, "Minimum width of a group")
      ->type_name("N")
      ->capture_default_str()
      ->check(at_least(1));
  app.add_option("--max-cut", choice.limits.max_cut, "Maximum fraction of a group to remove")
      ->type_name("F")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
}

void add_width_options(CLI::App& app, WidthChoice& choice) {
  app.add_option("--keep", choice.keep, "Fraction of channels to keep in each chosen group")->type_name("F");
  app.add_option("--keep-of", choice.keep_of,
                 "Fraction for the groups that match a glob; the last match wins")
      ->type_name("PATTERN=F");
  app.add_option("--width", choice.widths, "Width of an individual group")->type_name("NAME=N");
  add_fraction_options(app, choice);
}

void check_fraction(const char* option, double fraction) {
  require<UsageError>(fraction > 0 && fraction <= kLargestFraction, "cli",
                      "{}: must be a fraction in (0, {}] but got {}.", option, kLargestFraction, fraction);
}

void check(const WidthChoice& choice) {
  require<UsageError>(choice.keep || !choice.keep_of.empty() || !choice.widths.empty(), "cli",
                      "No width given: use --keep F, --keep-of PATTERN=F or --width NAME=N.");
  require<UsageError>(choice.keep || choice.groups.empty(), "cli", "--groups requires --keep.");
  if (choice.keep) check_fraction("--keep", *choice.keep);
  prune_options(choice);
}

PruneOptions prune_options(const WidthChoice& choice) {
  PruneOptions options{
      .keep = choice.keep, .groups = choice.groups, .exclude = choice.exclude, .limits = choice.limits};
  if (choice.round_up) options.limits.rounding = Rounding::up;
  for (const auto& text : choice.keep_of) options.keep_of.push_back(parse_keep_of(text));
  for (const auto& text : choice.widths) {
    const auto [name, width] = read_named_count("--width", text, "width");
    options.widths[name] = width;
  }
  return options;
}

}  // namespace inn::cli
