#include "inn/network/einsum.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "inn/core/error.h"

namespace inn {
namespace {

using Labels = std::vector<EinsumEquation::Label>;

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

/// The ellipsis stands for `hidden` axes.
Labels labels_of(const std::string& term, size_t hidden) {
  Labels labels;
  for (size_t i = 0; i < term.size(); ++i) {
    if (is_letter(term[i])) labels.push_back(term[i]);
    if (term[i] != '.') continue;
    for (size_t k = hidden; k > 0; --k) labels.push_back(-static_cast<EinsumEquation::Label>(k));
    i += 2;
  }
  return labels;
}

}  // namespace

EinsumEquation parse_einsum(const std::string& equation, const std::vector<size_t>& ranks) {
  std::string text;
  std::copy_if(equation.begin(), equation.end(), std::back_inserter(text), [](char c) { return c != ' '; });
  const auto arrow = text.find("->");
  std::vector<std::string> terms(1);
  for (const char c : text.substr(0, arrow)) {
    if (c == ',')
      terms.emplace_back();
    else
      terms.back() += c;
  }
  require(terms.size() == ranks.size(), "network", "einsum '{}': expected {} operands but got {}.", equation,
          terms.size(), ranks.size());
  EinsumEquation parsed;
  size_t most_hidden = 0;
  std::map<EinsumEquation::Label, int> uses;
  for (size_t t = 0; t < terms.size(); ++t) {
    const auto letters = static_cast<size_t>(std::count_if(terms[t].begin(), terms[t].end(), is_letter));
    const bool ellipsis = terms[t].find('.') != std::string::npos;
    require(ellipsis ? letters <= ranks[t] : letters == ranks[t], "network",
            "einsum '{}': operand {} has {} axes but {} letters.", equation, t, ranks[t], letters);
    const size_t hidden = ellipsis ? ranks[t] - letters : 0;
    most_hidden = std::max(most_hidden, hidden);
    parsed.operands.push_back(labels_of(terms[t], hidden));
    for (const auto label : parsed.operands.back()) ++uses[label];
  }
  if (arrow != std::string::npos) {
    parsed.result = labels_of(text.substr(arrow + 2), most_hidden);
  } else {
    // Without an arrow the result has the ellipsis, then the letters that occur once, in alphabetical order.
    for (const auto& [label, count] : uses)
      if (label < 0 || count == 1) parsed.result.push_back(label);
  }
  return parsed;
}

}  // namespace inn
