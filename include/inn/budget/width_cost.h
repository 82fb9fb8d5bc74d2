#pragma once
// The cost of a network as a function of its widths, without running it.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// A cost as a sum of terms that each depend on a few groups.
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
WidthCost multiply_add_cost(const AnalysedNetwork& source);
/// Parameters, each tensor once.
WidthCost parameter_cost(const AnalysedNetwork& source);

/// Interpolates values known at one or more widths: linear in between, constant beyond.
double read_linearly(const std::map<int64_t, double>& by_width, int64_t width);

}  // namespace inn
