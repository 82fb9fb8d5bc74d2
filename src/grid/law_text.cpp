// Distributions as text.
#include <fmt/ranges.h>

#include <charconv>

#include "inn/core/error.h"
#include "law.h"

namespace inn::laws {
namespace {

double parse_number(std::string_view number, std::string_view whole) {
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  require(error == std::errc() && end == number.data() + number.size() && !number.empty(), "grid",
          "Distribution '{}': '{}' is not a number.", whole, number);
  return value;
}

std::vector<std::string_view> split(std::string_view list, char separator) {
  std::vector<std::string_view> parts;
  for (size_t from = 0; from <= list.size();) {
    const size_t to = std::min(list.find(separator, from), list.size());
    parts.push_back(list.substr(from, to - from));
    from = to + 1;
  }
  return parts;
}

struct Reader {
  std::string_view whole;
  std::vector<std::string_view> parts;
  Bounds bounds;

  double number(size_t k) const { return parse_number(parts[k], whole); }
  void want(bool holds, std::string_view form) const {
    require(holds, "grid", "Distribution '{}': must have the form {}.", whole, form);
  }
};

Distribution read_uniform(const Reader& in) {
  in.want(in.parts.size() == 2, "uniform:LOWER,UPPER");
  return Uniform{in.number(0), in.number(1)};
}

Distribution read_loguniform(const Reader& in) {
  in.want(in.parts.size() == 2, "loguniform:LOWER,UPPER");
  return LogUniform{in.number(0), in.number(1)};
}

Distribution read_normal(const Reader& in) {
  const bool named = in.parts.size() == 4, defaults = in.bounds.lower && in.bounds.upper;
  in.want(named || (in.parts.size() == 2 && defaults),
          defaults ? "normal:MEAN,STD or normal:MEAN,STD,LOWER,UPPER" : "normal:MEAN,DEVIATION,LOWER,UPPER");
  if (named) return TruncatedNormal{in.number(0), in.number(1), in.number(2), in.number(3)};
  return TruncatedNormal{in.number(0), in.number(1), *in.bounds.lower, *in.bounds.upper};
}

Distribution read_choice(const Reader& in) {
  Choice choice;
  for (const auto part : in.parts) {
    const auto pair = split(part, '@');
    in.want(pair.size() <= 2, "choice:VALUE,… or choice:VALUE@PROBABILITY,…");
    choice.values.push_back(parse_number(pair[0], in.whole));
    if (pair.size() == 2) choice.probabilities.push_back(parse_number(pair[1], in.whole));
  }
  in.want(choice.probabilities.empty() || choice.probabilities.size() == choice.values.size(),
          "choice:VALUE,… or choice:VALUE@PROBABILITY,…");
  return choice;
}

struct Form {
  std::string name;
  Distribution (*read)(const Reader&);
};

const std::vector<Form>& forms() {
  // In the order of the alternatives of Distribution.
  static const std::vector<Form> table = {{"uniform", read_uniform},
                                          {"normal", read_normal},
                                          {"loguniform", read_loguniform},
                                          {"choice", read_choice}};
  return table;
}

std::string numbers(const Uniform& law) { return fmt::format("{},{}", law.lower, law.upper); }
std::string numbers(const LogUniform& law) { return fmt::format("{},{}", law.lower, law.upper); }
std::string numbers(const TruncatedNormal& law) {
  return fmt::format("{},{},{},{}", law.mean, law.deviation, law.lower, law.upper);
}
std::string numbers(const Choice& law) {
  std::vector<std::string> parts;
  for (size_t k = 0; k < law.values.size(); ++k)
    parts.push_back(law.probabilities.empty() ? fmt::format("{}", law.values[k])
                                              : fmt::format("{}@{}", law.values[k], law.probabilities[k]));
  return fmt::format("{}", fmt::join(parts, ","));
}

}  // namespace

std::string text(const Distribution& law) {
  const auto list = std::visit([](const auto& one) { return numbers(one); }, law);
  return forms()[law.index()].name + ":" + list;
}

Distribution parse(std::string_view text, const Bounds& bounds) {
  const size_t colon = text.find(':');
  const auto name = text.substr(0, colon);
  std::vector<std::string> names;
  for (const auto& form : forms()) {
    names.push_back(form.name);
    if (form.name != name) continue;
    require(colon != text.npos, "grid",
            "Distribution '{}': the name must be followed by a colon and numbers.", text);
    return form.read({.whole = text, .parts = split(text.substr(colon + 1), ','), .bounds = bounds});
  }
  raise("grid", "Distribution '{}': no distribution '{}'.{}", text, name, nearest_names(name, names));
}

}  // namespace inn::laws
