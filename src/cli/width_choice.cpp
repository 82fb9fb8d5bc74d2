#include "cli/width_choice.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <set>

#include "cli/limits.h"
#include "cli/usage_error.h"
#include "inn/core/error.h"
#include "inn/grid/distribution.h"

namespace inn::cli {
namespace {

/// No group grows beyond this: an integral model's does not, and pruning cuts.
constexpr double kLargestFraction = 8;

struct NamedWidth {
  std::string name;
  int64_t width;
};

/// Reads "layer1.0.conv1=12".
NamedWidth read_width(const std::string& text) {
  const auto equals = text.rfind('=');
  require<UsageError>(equals != std::string::npos && equals > 0, "cli", "--width '{}': must be NAME=N.",
                      text);
  const std::string number = text.substr(equals + 1);
  int64_t width = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), width);
  require<UsageError>(error == std::errc() && end == number.data() + number.size() && width >= 1, "cli",
                      "--width '{}': the width must be a whole number of at least 1 but got '{}'.", text,
                      number);
  return {text.substr(0, equals), width};
}

int64_t rounded(int64_t width, int64_t step, int64_t source_width) {
  if (step <= 1) return width;
  const auto steps = std::llround(static_cast<double>(width) / static_cast<double>(step));
  const int64_t multiple = std::max<int64_t>(1, steps) * step;
  // A group that is narrower than one step, or that the step would widen, keeps its width.
  return width <= source_width ? std::min(multiple, source_width) : multiple;
}

/// The groups of the model that can have another width.
std::set<GroupId> resizable(const Model& model, const AnalysedNetwork& source) {
  std::set<GroupId> ids;
  if (model.is_integral())
    for (const auto& group : model.integral->groups()) ids.insert(group.id());
  else
    for (const auto id : source.groups.select({})) ids.insert(id);
  return ids;
}

}  // namespace

void add_width_options(CLI::App& app, WidthChoice& choice) {
  app.add_option("--keep", choice.keep, "The fraction of its channels that each chosen group keeps")
      ->type_name("F");
  app.add_option("--width", choice.widths, "The width of a group by itself")->type_name("NAME=N");
  app.add_option("--groups", choice.groups,
                 "Groups that --keep is for, by globs over their names; default: all")
      ->type_name("PATTERN");
  app.add_option("--round-to", choice.round_to, "Makes what --keep gives a multiple of N")
      ->type_name("N")
      ->capture_default_str()
      ->check(at_least(1));
}

void check_fraction(const char* option, double fraction) {
  require<UsageError>(fraction > 0 && fraction <= kLargestFraction, "cli",
                      "{}: must be a fraction above 0 and at most {} but got {}.", option, kLargestFraction,
                      fraction);
}

void check(const WidthChoice& choice) {
  require<UsageError>(choice.keep || !choice.widths.empty(), "cli",
                      "A width is needed: --keep F or --width NAME=N.");
  require<UsageError>(choice.keep || choice.groups.empty(), "cli",
                      "--groups says what --keep is for; --keep is missing.");
  if (choice.keep) check_fraction("--keep", *choice.keep);
  for (const auto& text : choice.widths) read_width(text);
}

std::map<GroupId, int64_t> widths_of(const Model& model, const AnalysedNetwork& source,
                                     const WidthChoice& choice) {
  const auto allowed = resizable(model, source);
  const auto& groups = source.groups.groups;
  std::map<GroupId, int64_t> widths;
  if (choice.keep) {
    for (const auto id : source.groups.select(choice.groups)) {
      if (!allowed.contains(id)) continue;
      widths[id] = rounded(fraction_width(*choice.keep, groups[id].width), choice.round_to, groups[id].width);
    }
    require(!widths.empty(), "cli", "The model has no group that --keep can resize.");
  }
  for (const auto& text : choice.widths) {
    const auto [name, width] = read_width(text);
    const GroupId id = source.groups.find(name);
    if (groups[id].pinned)
      raise("cli", "Group '{}': it is pinned at width {}, since {}.", name, groups[id].width,
            *groups[id].pinned);
    require(allowed.contains(id), "cli", "Group '{}': it is not continuous in this integral model.", name);
    widths[id] = width;
  }
  return widths;
}

}  // namespace inn::cli
