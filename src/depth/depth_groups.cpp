#include "inn/depth/depth_groups.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "inn/core/error.h"
#include "inn/network/liveness.h"
#include "inn/network/value_uses.h"

namespace inn {
namespace {

/// The stretch of calls between two places where one value of the stream is all that goes on.
struct Segment {
  size_t begin, end;
  ValueId input, output;
  std::string shape;  // equal for segments that differ in their parameters' numbers only
};

/// A place after a call where, of what later calls read, only `value` was made within the chain.
struct Cut {
  size_t call;
  ValueId value;
  std::vector<ValueId> others;  // made before: equal at all cuts of a chain
};

class Finder {
 public:
  explicit Finder(const Network& network) : network_(network), uses_(network) {}

  std::vector<DepthGroup> find() {
    std::vector<DepthGroup> groups;
    std::map<std::vector<ValueId>, std::vector<Cut>> chains;
    for (auto& cut : cuts()) chains[cut.others].push_back(std::move(cut));
    for (const auto& [others, chain] : chains) {
      std::vector<Segment> run;  // segments whose ends have one size
      for (size_t k = 1; k < chain.size(); ++k) {
        if (!alike(chain[k - 1].value, chain[k].value)) {
          add_groups(run, groups);
          run.clear();
          continue;
        }
        const Segment segment{
            chain[k - 1].call + 1, chain[k].call + 1, chain[k - 1].value, chain[k].value, {}};
        run.push_back(segment);
        run.back().shape = shape_of(segment);
      }
      add_groups(run, groups);
    }
    std::sort(groups.begin(), groups.end(),
              [](const DepthGroup& a, const DepthGroup& b) { return a.blocks[0].begin < b.blocks[0].begin; });
    for (auto& group : groups) name(group);
    return groups;
  }

 private:
  const Value& value(ValueId id) const { return network_.values[static_cast<size_t>(id)]; }

  /// A size that the network computes: often once, in the first block that needs it.
  bool is_number(ValueId id) const { return value(id).kind == Value::Kind::integer; }

  bool makes_numbers(size_t c) const {
    for (const auto& result : network_.calls[c].results)
      for (const auto id : result.values)
        if (!is_number(id)) return false;
    return true;
  }

  bool alike(ValueId a, ValueId b) const {
    return value(a).sizes == value(b).sizes && value(a).dtype == value(b).dtype &&
           value(a).formulas == value(b).formulas;
  }

  std::vector<Cut> cuts() const {
    const Liveness liveness = liveness_of(network_);
    std::vector<Cut> found;
    std::vector<ValueId> live;  // in the order in which they were made
    for (const auto id : network_.inputs) live.push_back(id);
    for (const auto id : liveness.unread) std::erase(live, id);
    for (size_t c = 0; c < network_.calls.size(); ++c) {
      for (const auto& result : network_.calls[c].results)
        for (const auto id : result.values)
          if (!is_number(id)) live.push_back(id);
      for (const auto id : liveness.released[c]) std::erase(live, id);
      if (live.empty() || uses_.producer(live.back()) != c || value(live.back()).kind != Value::Kind::tensor)
        continue;
      found.push_back({c, live.back(), {live.begin(), live.end() - 1}});
    }
    return found;
  }

  /// What the segment computes, with names for its own values and parameters that do not depend on where it stands.
  std::string shape_of(const Segment& segment) const {
    std::map<ValueId, std::string> names{{segment.input, "input"}};
    std::ostringstream text;
    size_t made = 0, states = 0;
    const auto name_of = [&](ValueId id) -> std::string {
      if (is_number(id)) return fmt::format("number{} {}", value(id).number, value(id).formula);
      const auto state = uses_.state_of(id);
      if (!state) return fmt::format("outer{}", id);
      return fmt::format("state{} {} {}", states++,
                         c10::toString(network_.state[*state].tensor.scalar_type()), value(id).sizes);
    };
    const auto name = [&](ValueId id) -> const std::string& {
      const auto found = names.find(id);
      return found != names.end() ? found->second : names.emplace(id, name_of(id)).first->second;
    };
    const auto write = [&](const auto& self, const Argument& argument) -> void {
      if (argument.is_value()) {
        text << name(argument.value());
      } else if (argument.is_list()) {
        text << '[';
        for (const auto& item : argument.list()) {
          self(self, item);
          text << ' ';
        }
        text << ']';
      } else if (argument.is_size()) {
        text << "size" << evaluate(argument.size());
      } else {
        text << argument.constant();
      }
      text << ' ';
    };
    for (size_t c = segment.begin; c < segment.end; ++c) {
      if (makes_numbers(c)) continue;
      const Call& call = network_.calls[c];
      text << call.qualified_name() << ' ';
      for (const auto& argument : call.arguments) write(write, argument);
      for (const auto& result : call.results)
        for (const auto id : result.values) names[id] = fmt::format("made{}", made++);
      text << (names.contains(segment.output) ? "end\n" : "\n");
    }
    return std::move(text).str();
  }

  int64_t evaluate(const SizeExpression& size) const {
    std::vector<int64_t> symbols;
    for (const auto& symbol : network_.symbols) symbols.push_back(symbol.value);
    return size.evaluate(symbols);
  }

  /// Splits a run into its longest repetitions, from the first segment on.
  void add_groups(const std::vector<Segment>& run, std::vector<DepthGroup>& groups) const {
    for (size_t first = 0; first < run.size();) {
      DepthGroup best;
      size_t used = 1;  // segments
      for (size_t period = 1; first + period <= run.size(); ++period) {
        if (!is_residual(run, first, period)) continue;
        size_t count = 1;
        while (first + (count + 1) * period <= run.size() && repeats(run, first, period, count)) ++count;
        DepthGroup group;
        for (size_t k = 0; k < count; ++k) {
          const Segment &begin = run[first + k * period], &end = run[first + (k + 1) * period - 1];
          group.blocks.push_back({"", begin.begin, end.end, begin.input, end.output});
        }
        if (first + count * period == run.size())
          while (const auto next = block_after(group.blocks.back())) group.blocks.push_back(*next);
        if (group.blocks.size() >= 2 && covered(group) > covered(best))
          best = std::move(group), used = count * period;
      }
      if (!best.blocks.empty()) groups.push_back(std::move(best));
      first += used;
    }
  }

  static size_t covered(const DepthGroup& group) {
    return group.blocks.empty() ? 0 : group.blocks.back().end - group.blocks.front().begin;
  }

  /// The calls behind a block, if they are a block like it: the last of a chain may be the last to read a mask, and the
  /// place behind it then is another than those before.
  std::optional<ResidualBlock> block_after(const ResidualBlock& block) const {
    const size_t length = block.end - block.begin;
    if (block.end + length > network_.calls.size()) return {};
    const auto place = *uses_.producer(block.output) - block.begin;
    const auto& made = network_.calls[block.end + place].results;
    if (made.empty() || made[0].values.empty()) return {};
    const Segment old{block.begin, block.end, block.input, block.output, {}},
        next{block.end, block.end + length, block.output, made[0].values[0], {}};
    if (!alike(old.output, next.output) || shape_of(old) != shape_of(next)) return {};
    const auto is_inside = [&](ValueId id) {
      const auto& readers = uses_.readers(id);
      return !uses_.is_output(id) && (readers.empty() || readers.back() < next.end);
    };
    if (!is_inside(next.input)) return {};
    for (size_t c = next.begin; c < next.end; ++c)
      for (const auto& result : network_.calls[c].results)
        for (const auto id : result.values)
          if (id != next.output && !is_number(id) && !is_inside(id)) return {};
    return ResidualBlock{"", next.begin, next.end, next.input, next.output};
  }

  static bool repeats(const std::vector<Segment>& run, size_t first, size_t period, size_t block) {
    for (size_t k = 0; k < period; ++k)
      if (run[first + k].shape != run[first + block * period + k].shape) return false;
    return true;
  }

  /// Whether sums lead from the block's input to its output.
  bool is_residual(const std::vector<Segment>& run, size_t first, size_t period) const {
    static const std::set<std::string> kPassed{"aten::relu",    "aten::relu_",      "aten::dropout",
                                               "aten::alias",   "aten::contiguous", "aten::layer_norm",
                                               "aten::rms_norm"};
    std::map<ValueId, bool> reached{{run[first].input, false}};  // whether by a sum
    for (size_t c = run[first].begin; c < run[first + period - 1].end; ++c) {
      const Call& call = network_.calls[c];
      const bool is_sum = call.op == "aten::add" || call.op == "aten::add_";
      if (!is_sum && !kPassed.contains(call.op)) continue;
      for (size_t a = 0; a < (is_sum ? size_t{2} : size_t{1}); ++a) {
        if (!call.arguments[a].is_value()) continue;
        const auto found = reached.find(call.arguments[a].value());
        if (found != reached.end()) reached[call.results[0].values[0]] |= found->second || is_sum;
      }
    }
    const auto end = reached.find(run[first + period - 1].output);
    return end != reached.end() && end->second;
  }

  bool reads_state(size_t c) const {
    bool any = false;
    for (const auto& argument : network_.calls[c].arguments)
      argument.for_each_value([&](ValueId id) { any = any || uses_.state_of(id).has_value(); });
    return any;
  }

  /// The longest prefix of dotted parts that the modules of the calls with parameters share.
  std::string shared_module(size_t begin, size_t end) const {
    std::optional<std::vector<std::string>> shared;
    for (size_t c = begin; c < end; ++c) {
      if (network_.calls[c].module.empty() || !reads_state(c)) continue;
      std::vector<std::string> parts;
      std::istringstream text(network_.calls[c].module);
      for (std::string part; std::getline(text, part, '.');) parts.push_back(part);
      if (!shared) shared = parts;
      const auto [mine, theirs] = std::mismatch(shared->begin(), shared->end(), parts.begin(), parts.end());
      shared->erase(mine, shared->end());
    }
    return shared ? fmt::format("{}", fmt::join(*shared, ".")) : "";
  }

  void name(DepthGroup& group) const {
    group.name = shared_module(group.blocks.front().begin, group.blocks.back().end);
    if (group.name.empty()) group.name = fmt::format("chain_{}", group.blocks.front().begin);
    for (size_t k = 0; k < group.blocks.size(); ++k) {
      auto& block = group.blocks[k];
      block.name = shared_module(block.begin, block.end);
      if (block.name.empty() || block.name == group.name) block.name = fmt::format("{}[{}]", group.name, k);
    }
  }

  const Network& network_;
  const ValueUses uses_;
};

}  // namespace

std::vector<DepthGroup> find_depth_groups(const Network& network) {
  auto groups = Finder(network).find();
  std::map<std::string, int64_t> count;
  for (auto& group : groups)
    if (const int64_t before = count[group.name]++; before > 0) group.name += fmt::format("#{}", before + 1);
  return groups;
}

const DepthGroup& find_depth_group(const std::vector<DepthGroup>& groups, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& group : groups) {
    if (group.name == name) return group;
    names.push_back("'" + group.name + "'");
  }
  raise("depth", "No chain of residual blocks is named '{}'. The network has {}.", name,
        names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
}

std::map<std::string, int64_t> depths_at(const std::vector<DepthGroup>& groups, double fraction) {
  std::map<std::string, int64_t> depths;
  for (const auto& group : groups)
    depths[group.name] =
        std::max<int64_t>(1, std::llround(fraction * static_cast<double>(group.blocks.size())));
  return depths;
}

Network bypass(const Network& network, std::span<const ResidualBlock> blocks) {
  Network made = network;
  std::map<ValueId, ValueId> instead;
  for (const auto& block : blocks) instead[block.output] = block.input;
  const auto replace = [&](ValueId& id) {
    for (auto found = instead.find(id); found != instead.end(); found = instead.find(id)) id = found->second;
  };
  for (auto& call : made.calls)
    for (auto& argument : call.arguments) argument.for_each_value(replace);
  for (auto& output : made.outputs) output.for_each_value(replace);
  return made;
}

}  // namespace inn
