#include "head_sites.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "inn/network/reindexing.h"

namespace inn {
namespace {

constexpr const char* kAttention = "aten::scaled_dot_product_attention";

class HeadSearch {
 public:
  HeadSearch(const AnalysedNetwork& source, std::span<const MaybeLinearCall> calls, GroupId group)
      : network_(source.network), source_(source), group_(group) {
    std::set<size_t> states;
    for (const auto& member : source.groups.groups[group].members) states.insert(member.state);
    for (const auto& call : calls) {
      const auto* linear = std::get_if<LinearCall>(&call);
      if (linear && linear->kind == LinearCall::Kind::linear && states.contains(linear->weight))
        linears_.push_back(*linear);
    }
  }

  std::optional<HeadSites> find(const std::vector<Consumer>& consumers) {
    for (const auto& consumer : consumers) {
      const bool found = consumer.other ? find_scores(consumer) : find_values(consumer);
      if (!found) return {};
    }
    for (const auto& member : source_.groups.groups[group_].members)
      if (!accounted_.contains({member.state, member.axis})) return {};
    for (const auto& [value, readers] : readers_)
      if (!leads_only_to(network_, value, readers)) return {};
    return std::move(sites_);
  }

 private:
  bool find_scores(const Consumer& consumer) {
    const auto query = made_from(*consumer.other), key = made_from(consumer.value);
    if (!query || !key || query->rows.size(0) != key->rows.size(0)) return false;
    sites_.scores.push_back({consumer.call, query->linear, key->linear, query->rows, key->rows,
                             network_.calls[consumer.call].op == kAttention});
    for (const auto& linear : {query->linear, key->linear}) account(linear, consumer.call);
    return true;
  }

  bool find_values(const Consumer& consumer) {
    const auto found = std::find_if(linears_.begin(), linears_.end(),
                                    [&](const auto& each) { return each.call == consumer.call; });
    if (found == linears_.end()) return false;
    for (size_t c = 0; c < found->call; ++c) {
      const auto passing = passing_value(c);
      if (!passing) continue;
      const ValueId mixed = network_.calls[c].results[0].values[0];
      const at::Tensor read = reader_rows(mixed, *found);
      if (!read.defined()) continue;
      const auto value = made_from(*passing);
      if (!value || value->rows.size(0) != read.size(0)) return false;
      sites_.values.push_back({c, value->linear, *found, value->rows, read});
      account(value->linear, c);
      accounted_.emplace(found->weight, found->input_axis());
      readers_[mixed].insert(found->call);
      return true;
    }
    return false;
  }

  /// What a call mixes over positions and passes on: of attention the values, of a product of two activations
  /// the second.
  std::optional<ValueId> passing_value(size_t c) const {
    const auto& call = network_.calls[c];
    const size_t place = call.op == kAttention ? 2 : 1;
    if (call.op != kAttention && call.op != "aten::matmul" && call.op != "aten::bmm") return {};
    if (!call.arguments[place].is_value() || !axis_in(call.results[0].values[0])) return {};
    return call.arguments[place].value();
  }

  /// The axis of the value that is the group's alone.
  std::optional<int64_t> axis_in(ValueId value) const {
    const auto& axes = source_.groups.value_axes.at(static_cast<size_t>(value));
    for (size_t d = 0; d < axes.size(); ++d)
      if (axes[d].is_variable() && axes[d].variable == static_cast<VariableId>(group_))
        return axes.size() >= 3 ? std::optional(static_cast<int64_t>(d)) : std::nullopt;
    return {};
  }

  int64_t samples() const { return network_.values[static_cast<size_t>(network_.inputs[0])].sizes.at(0); }

  struct Made {
    LinearCall linear;
    at::Tensor rows;
  };

  /// The linear map whose outputs, reindexed, are the value.
  std::optional<Made> made_from(ValueId value) const {
    for (const auto& linear : linears_)
      if (const at::Tensor rows = rows_in(linear, value); rows.defined()) return Made{linear, rows};
    return {};
  }

  /// The outputs of the map that stand in the value's heads, [heads, channels].
  at::Tensor rows_in(const LinearCall& linear, ValueId value) const {
    const auto axis = axis_in(value);
    const auto& sizes = network_.values[static_cast<size_t>(linear.output)].sizes;
    if (!axis || sizes.empty()) return {};
    const auto content = at::arange(sizes.back(), at::kDouble).expand(sizes).contiguous();
    const auto found = reindexed(network_, linear.output, value, content);
    if (!found) return {};
    const at::Tensor moved = found->movedim(*axis, -1);
    const at::Tensor heads = moved.reshape({-1, moved.size(-2), moved.size(-1)});  // of all samples
    if (heads.size(0) % samples() != 0) return {};
    const at::Tensor rows =
        heads.reshape({samples(), -1, heads.size(1), heads.size(2)}).select(0, 0).select(1, 0);
    // The same of every sample and position.
    const at::Tensor repeated =
        rows.unsqueeze(1).unsqueeze(0).expand({samples(), rows.size(0), heads.size(1), -1});
    if (!at::equal(repeated.reshape(heads.sizes()), heads)) return {};
    return rows.to(at::kLong);
  }

  /// Which inputs of the reader the channels of each head are: [heads, channels].
  at::Tensor reader_rows(ValueId mixed, const LinearCall& reader) const {
    const auto axis = axis_in(mixed);
    if (!axis) return {};
    at::Tensor moved =
        at::empty(network_.values[static_cast<size_t>(mixed)].sizes, at::kDouble).movedim(*axis, -1);
    const int64_t channels = moved.size(-1), positions = moved.size(-2);
    const int64_t heads = moved.numel() / (channels * positions) / samples();
    if (heads * samples() * channels * positions != moved.numel()) return {};
    const at::Tensor codes = at::arange(heads * channels, at::kDouble)
                                 .view({1, heads, 1, channels})
                                 .expand({samples(), heads, positions, channels});
    const at::Tensor content = codes.reshape(moved.sizes()).movedim(-1, *axis).contiguous();
    const auto found = reindexed(network_, mixed, reader.input, content);
    if (!found || found->size(-1) != heads * channels) return {};
    const at::Tensor inputs = found->reshape({-1, found->size(-1)});
    if (!at::equal(inputs, inputs[0].expand_as(inputs))) return {};
    return inputs[0].argsort().view({heads, channels});
  }

  void account(const LinearCall& linear, size_t reader) {
    accounted_.emplace(linear.weight, linear.output_axis());
    if (linear.bias) accounted_.emplace(*linear.bias, 0);
    readers_[linear.output].insert(reader);
  }

  const Network& network_;
  const AnalysedNetwork& source_;
  GroupId group_;
  std::vector<LinearCall> linears_;
  HeadSites sites_;
  std::set<std::pair<size_t, int64_t>> accounted_;
  std::map<ValueId, std::set<size_t>> readers_;
};

}  // namespace

std::optional<HeadSites> head_sites(const AnalysedNetwork& source, std::span<const MaybeLinearCall> calls,
                                    GroupId group, const std::vector<Consumer>& consumers) {
  return consumers.empty() ? std::nullopt : HeadSearch(source, calls, group).find(consumers);
}

}  // namespace inn
