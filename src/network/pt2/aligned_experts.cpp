#include "aligned_experts.h"

#include <c10/core/ScalarType.h>

#include <set>

#include "../grouped_mm.h"

namespace inn::pt2 {
namespace {

class Alignment {
 public:
  explicit Alignment(const Network& network) : result_(network) {
    for (const auto& call : network.calls)
      if (call.op == "aten::transpose" || call.op == "aten::mT" || call.op == "aten::swapaxes")
        turned_.insert(call.results.at(0).values.at(0));
  }

  std::optional<Network> run() {
    std::vector<Call> calls = std::move(result_.calls);
    result_.calls.clear();
    bool any = false;
    for (auto& call : calls) any = align(std::move(call)) || any;
    if (!any) return std::nullopt;
    return std::move(result_);
  }

 private:
  /// Appends the call, padded where it must be; says whether it was.
  bool align(Call call) {
    const bool is_product = call.op == "aten::_grouped_mm" && call.arguments[0].is_value() &&
                            call.arguments[1].is_value() && !call.arguments[2].is_none();
    if (!is_product) return append(std::move(call));
    const Value rows = result_.values[call.arguments[0].value()];
    const Value experts = result_.values[call.arguments[1].value()];
    if (rows.sizes.size() != 2 || experts.sizes.size() != 3) return append(std::move(call));
    const int64_t unit = kGroupedRowBytes / static_cast<int64_t>(c10::elementSize(rows.dtype));
    const auto missing = [&](int64_t size) { return (unit - size % unit) % unit; };
    const int64_t more_k = missing(rows.sizes[1]), more_n = missing(experts.sizes[2]);
    const bool rows_are_columns = turned_.contains(call.arguments[1].value());
    if (more_k == 0 && (more_n == 0 || rows_are_columns)) return append(std::move(call));

    const ValueId whole = call.results[0].values[0];
    if (more_k > 0) call.arguments[0] = padded(call, 0, {0, more_k});
    call.arguments[1] = padded(call, 1, {0, more_n, 0, more_k});
    if (more_n == 0) return !append(std::move(call));
    Value wide = result_.values[whole];
    const int64_t width = wide.sizes[1];
    wide.name += "_wide";
    wide.sizes[1] += more_n;
    Call cut{"aten::slice", "Tensor", {}, std::move(call.results), call.module, call.module_type};
    const ValueId product = result_.add_value(std::move(wide));
    call.results = {{false, {product}}};
    cut.arguments = {ValueRef{product}, c10::IValue(int64_t{1}), c10::IValue(int64_t{0}), c10::IValue(width),
                     c10::IValue(int64_t{1})};
    append(std::move(call));
    return !append(std::move(cut));
  }

  /// Always false: nothing was padded.
  bool append(Call call) {
    result_.calls.push_back(std::move(call));
    return false;
  }

  /// Appends a call that pads an argument of `call` by zeros, and returns what it gives.
  Argument padded(const Call& call, size_t argument, const std::vector<int64_t>& amounts) {
    const ValueId source = call.arguments[argument].value();
    Value value = result_.values[source];
    value.name += "_padded";
    for (size_t k = 0; 2 * k + 1 < amounts.size(); ++k) {
      const size_t axis = value.sizes.size() - 1 - k;
      value.sizes[axis] += amounts[2 * k + 1];
    }
    const ValueId result = result_.add_value(std::move(value));
    append({"aten::constant_pad_nd",
            "",
            {ValueRef{source}, c10::IValue(amounts), c10::IValue(int64_t{0})},
            {{false, {result}}},
            call.module,
            call.module_type});
    return ValueRef{result};
  }

  Network result_;
  std::set<ValueId> turned_;  // what a call gave that exchanges axes
};

}  // namespace

std::optional<Network> with_aligned_experts(const Network& network) { return Alignment(network).run(); }

}  // namespace inn::pt2
