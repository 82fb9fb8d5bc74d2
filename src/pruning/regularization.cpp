#include "inn/pruning/regularization.h"

#include <ATen/ATen.h>

#include "batch_norm_scales.h"
#include "inn/core/error.h"
#include "inn/core/named_table.h"
#include "inn/dimension/channel_places.h"
#include "inn/resampling/rows.h"

namespace inn {
namespace {

/// The members that learn.
std::vector<Member> parameter_members(const AnalysedNetwork& source, GroupId id) {
  std::vector<Member> members;
  for (const auto& member : source.groups.groups.at(id).members) {
    const auto& entry = source.network.state[member.state];
    if (entry.kind == StateEntry::Kind::parameter && is_inexact(entry.tensor)) members.push_back(member);
  }
  return members;
}

/// All slices of each channel, side by side: [width, …]; undefined where there is no member.
at::Tensor slices(const std::vector<Member>& members, int64_t width, std::span<const at::Tensor> tensors) {
  std::vector<at::Tensor> rows;
  for (const auto& member : members) rows.push_back(member_rows(tensors[member.state], member, width));
  return rows.empty() ? at::Tensor() : at::cat(rows, 1);
}

at::Tensor sum_of_terms(const std::vector<at::Tensor>& terms) {
  return terms.empty() ? at::zeros({}) : at::stack(terms).sum();
}

/// Adds up `term(slices)` over the groups.
template <class Term>
auto by_group(Term term) {
  return [term](const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                std::span<const at::Tensor> tensors) {
    std::vector<at::Tensor> terms;
    for (const auto id : groups) {
      const auto rows = slices(parameter_members(source, id), source.groups.groups.at(id).width, tensors);
      if (rows.defined()) terms.push_back(term(rows));
    }
    return sum_of_terms(terms);
  };
}

/// (max s − s_c)/(max s − min s): 1 for the least channel, 0 for the greatest; 0 where all are equal.
at::Tensor weakness(const at::Tensor& scores) {
  const auto range = scores.max() - scores.min();
  return at::where(range > 0, (scores.max() - scores) / range, at::zeros_like(scores));
}

at::Tensor sparsity_of(const at::Tensor& rows) {
  constexpr double kStrength = 4;  // α of DepGraph
  const auto squares = rows.square().sum({1});
  return (at::exp2(kStrength * weakness(squares.detach())) * squares).sum();
}

at::Tensor scale_penalty(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                         std::span<const at::Tensor> tensors) {
  std::vector<at::Tensor> terms;
  for (const auto id : groups)
    for (const auto& member : batch_norm_scales(source, id))
      terms.push_back(member_rows(tensors[member.state], member, source.groups.groups[id].width).abs().sum());
  return sum_of_terms(terms);
}

}  // namespace

const std::vector<Regularizer>& regularizers() {
  static const std::vector<Regularizer> table{
      {"group_lasso", "the norm of each channel's slices",
       by_group([](const at::Tensor& rows) { return rows.norm(2, {1}).sum(); })},
      {"group_sparsity",
       "the squared norm of each channel's slices, with up to 16 times the weight for weak channels",
       by_group(sparsity_of)},
      {"batch_norm", "the absolute scales of batch norms", scale_penalty},
  };
  return table;
}

const Regularizer& find_regularizer(const std::string& name) {
  return find_named(regularizers(), name, "pruning", "Regularizer '{}': no such regularizer.{}");
}

GrowingPenalty::GrowingPenalty(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                               Options options)
    : options_(options) {
  require(options.step >= 0 && options.limit >= 0, "pruning",
          "Growing penalty: step and limit must be at least 0 but got {} and {}.", options.step,
          options.limit);
  for (const auto id : groups) {
    members_.emplace(id, parameter_members(source, id));
    coefficients_.emplace(id, at::zeros({source.groups.groups.at(id).width}, at::kDouble));
  }
}

void GrowingPenalty::grow(const std::map<GroupId, at::Tensor>& scores) {
  for (const auto& [id, score] : scores) {
    const auto found = coefficients_.find(id);
    require(found != coefficients_.end() && score.sizes() == found->second.sizes(), "pruning",
            "Growing penalty: {} scores of group {} do not match its groups.", score.numel(), id);
  }
  for (const auto& [id, score] : scores) {
    auto& coefficient = coefficients_.at(id);
    const auto grown = options_.step * weakness(score.detach().cpu().to(at::kDouble));
    coefficient = (coefficient + grown).clamp_max(options_.limit);
  }
}

void GrowingPenalty::set_coefficients(const std::map<GroupId, at::Tensor>& coefficients) {
  for (const auto& [id, own] : coefficients_) {
    const auto found = coefficients.find(id);
    require(found != coefficients.end() && found->second.sizes() == own.sizes(), "pruning",
            "Growing penalty: group {} requires {} coefficients.", id, own.numel());
  }
  for (auto& [id, own] : coefficients_) own = coefficients.at(id).to(at::kCPU, at::kDouble);
}

at::Tensor GrowingPenalty::operator()(std::span<const at::Tensor> tensors) const {
  std::vector<at::Tensor> terms;
  for (const auto& [id, members] : members_) {
    const auto& coefficient = coefficients_.at(id);
    const auto rows = slices(members, coefficient.size(0), tensors);
    if (rows.defined()) terms.push_back((coefficient.to(rows.options()) * rows.square().sum({1})).sum() / 2);
  }
  return sum_of_terms(terms);
}

}  // namespace inn
