#include <algorithm>
#include <map>
#include <set>

#include "inn/core/error.h"
#include "inn/cost/formula.h"

namespace inn {
namespace {

/// Axes under an ellipsis, counted from the right, have negative labels: broadcast axes are the same in all
/// operands.
using Label = int;
using Labels = std::vector<Label>;

Labels labels_of(const std::string& term, size_t rank) {
  Labels labels;
  const auto letters = static_cast<size_t>(
      std::count_if(term.begin(), term.end(), [](unsigned char c) { return std::isalpha(c); }));
  for (size_t i = 0; i < term.size(); ++i) {
    if (std::isalpha(static_cast<unsigned char>(term[i]))) labels.push_back(term[i]);
    if (term[i] != '.') continue;
    for (size_t hidden = rank - letters; hidden > 0; --hidden) labels.push_back(-static_cast<Label>(hidden));
    i += 2;
  }
  return labels;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

}  // namespace

int64_t einsum_macs(const std::string& equation, const std::vector<Sizes>& operands) {
  std::string text;
  std::copy_if(equation.begin(), equation.end(), std::back_inserter(text), [](char c) { return c != ' '; });
  const auto arrow = text.find("->");
  const auto terms = split(text.substr(0, arrow), ',');
  require(terms.size() == operands.size(), "cost", "einsum '{}': it has {} operands but got {}.", equation,
          terms.size(), operands.size());
  std::map<Label, int64_t> sizes, uses;
  std::vector<Labels> labels;
  for (size_t t = 0; t < terms.size(); ++t) {
    labels.push_back(labels_of(terms[t], operands[t].size()));
    require(labels.back().size() == operands[t].size(), "cost",
            "einsum '{}': operand {} has {} axes but {} letters.", equation, t, operands[t].size(),
            labels.back().size());
    for (size_t d = 0; d < labels.back().size(); ++d) {
      auto& size = sizes[labels.back()[d]];
      size = std::max(size, operands[t][d]);
      ++uses[labels.back()[d]];
    }
  }
  // Without an arrow the result has what stands once, and the ellipsis.
  const auto in_result = [&](Label label) {
    if (arrow == std::string::npos) return label < 0 || uses.at(label) == 1;
    const auto result = text.substr(arrow + 2);
    return label < 0 ? result.find('.') != std::string::npos
                     : result.find(static_cast<char>(label)) != std::string::npos;
  };
  int64_t macs = 0;
  std::set<Label> held(labels.front().begin(), labels.front().end());
  for (size_t t = 1; t < terms.size(); ++t) {
    const std::set<Label> next(labels[t].begin(), labels[t].end());
    // What neither the result nor a later operand has is summed over: before the product where only one of
    // the two has it, by the product where both have. Without the latter nothing is added up.
    const auto is_needed = [&](Label label) {
      bool needed = in_result(label);
      for (size_t rest = t + 1; rest < terms.size(); ++rest)
        needed = needed || std::find(labels[rest].begin(), labels[rest].end(), label) != labels[rest].end();
      return needed;
    };
    int64_t summed = 1, product = 1;
    for (const Label label : held)
      if (!is_needed(label) && next.contains(label)) summed *= sizes.at(label);
    held.insert(next.begin(), next.end());
    std::erase_if(held, [&](Label label) { return !is_needed(label); });
    for (const Label label : held) product *= sizes.at(label);
    macs += summed > 1 ? summed * product : 0;
  }
  return macs;
}

}  // namespace inn
