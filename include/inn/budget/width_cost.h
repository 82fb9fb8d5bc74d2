#pragma once
// What a network costs as a function of its widths, without running it.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// A cost that is a sum of terms, each of which depends on a few groups.
struct WidthCost {
  struct Term {
    std::set<GroupId> groups;
    std::function<double(const std::vector<int64_t>& widths)> cost;  // widths of all groups, by id
  };
  std::vector<Term> terms;

  double operator()(const std::vector<int64_t>& widths) const;
};

/// Returns the widths of all groups, by id.
std::vector<int64_t> source_widths(const Groups& groups);

/// Multiply-adds for the source's example inputs with batch 1, by the formulas of `cost_of`.
WidthCost multiply_adds(const AnalysedNetwork& source);
/// Parameters, each tensor once.
WidthCost parameters(const AnalysedNetwork& source);

/// Returns the value at `width` of what is known at some widths, at least one: linear between them, constant
/// beyond.
double read_linearly(const std::map<int64_t, double>& by_width, int64_t width);

}  // namespace inn
