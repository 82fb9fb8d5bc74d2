#include "residual_stream.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "inn/core/error.h"
#include "inn/dimension/channel_places.h"
#include "inn/dimension/consumers.h"
#include "inn/network/value_uses.h"

namespace inn {
namespace {

constexpr std::string_view kSums[] = {"aten::add", "aten::sub", "aten::add_", "aten::sub_"};
constexpr std::string_view kProducts[] = {"aten::mul", "aten::div", "aten::mul_", "aten::div_"};
constexpr std::string_view kMeans[] = {"aten::mean", "aten::sum"};
constexpr std::string_view kContractions[] = {"aten::linear", "aten::matmul", "aten::mm"};
constexpr std::string_view kProducers[] = {"aten::embedding", "aten::linear", "aten::matmul",
                                           "aten::mm",        "aten::addmm",  "aten::conv1d",
                                           "aten::conv2d",    "aten::conv3d", "aten::convolution"};
/// Calls that keep every channel as it is, or move positions only.
constexpr std::string_view kKeeping[] = {
    "aten::dropout",   "aten::clone",   "aten::contiguous",   "aten::detach",    "aten::alias",
    "aten::_to_copy",  "aten::to",      "aten::type_as",      "aten::neg",       "aten::view",
    "aten::reshape",   "aten::flatten", "aten::expand",       "aten::transpose", "aten::permute",
    "aten::unsqueeze", "aten::squeeze", "aten::select",       "aten::slice",     "aten::cat",
    "aten::unflatten", "aten::index",   "aten::index_select", "aten::float"};

template <size_t N>
bool is_one_of(const std::string_view (&names)[N], const std::string& op) {
  return std::find(std::begin(names), std::end(names), op) != std::end(names);
}

/// What a value becomes if the stream is rotated.
struct Behaviour {
  bool squared = false;             // the squares of rotated numbers: only their sum is known
  std::optional<size_t> gain = {};  // rotated, and then each channel scaled by this state tensor
};

/// A layer that reads the stream behind a norm.
struct Reader {
  size_t call;
  size_t gain;
  std::vector<Member> weights;
};

class StreamWalk {
 public:
  StreamWalk(const AnalysedNetwork& source, GroupId stream)
      : source_(source), stream_(stream), uses_(source.network) {
    const auto consumers = find_consumers(source, {stream});
    for (const auto& consumer : consumers.at(stream))
      if (is_layer(consumer)) consumers_.emplace(consumer.call, consumer);
  }

  /// The layers that read a gain, in network order.
  std::vector<Reader> readers() {
    const auto& calls = source_.network.calls;
    for (size_t c = 0; c < calls.size(); ++c) visit(c);
    for (const auto& reader : readers_)
      for (const auto call : uses_.readers(source_.network.state[reader.gain].value))
        require(norms_.contains(call), "data_quadrature",
                "{}: '{}' is the gain of a norm but {} uses it too.", refusal(),
                source_.network.state[reader.gain].name, name_of(calls[call]));
    return std::move(readers_);
  }

 private:
  bool has_stream(ValueId value) const { return has_group(source_.groups, value, stream_); }

  static std::string name_of(const Call& call) {
    return call.module.empty() ? call.op : call.op + " (" + call.module + ")";
  }

  std::string refusal() const {
    return "Group '" + source_.groups.groups[stream_].name + "': cannot be rotated";
  }

  [[noreturn]] void refuse(const Call& call) const {
    raise("data_quadrature",
          "{}: {} does not commute with a rotation. Only residual streams of embeddings, linear layers, "
          "sums and RMS norms can be rotated.",
          refusal(), name_of(call));
  }

  void visit(size_t index) {
    const auto& call = source_.network.calls[index];
    std::vector<ValueId> streams;  // activations
    std::vector<size_t> tensors;   // of the state, with the stream
    for (const auto& argument : call.arguments)
      argument.for_each_value([&](ValueId id) {
        if (behaviours_.contains(id)) streams.push_back(id);
        if (const auto state = uses_.state_of(id); state && has_stream(id)) tensors.push_back(*state);
      });
    const bool continues = std::any_of(call.results.begin(), call.results.end(), [&](const auto& result) {
      return std::any_of(result.values.begin(), result.values.end(),
                         [&](ValueId id) { return has_stream(id); });
    });
    if (streams.empty() && !continues) return;
    Behaviour result;
    if (const auto consumer = consumers_.find(index); consumer != consumers_.end()) {
      if (streams.size() > 1) refuse(call);
      result = consumed(index, consumer->second.value, consumer->second.weights);
    } else if (streams.size() == 1 && tensors.size() == 1 && is_one_of(kContractions, call.op)) {
      result = consumed(index, streams[0], members_of(tensors[0]));  // also an embedding, hence no consumer
    } else if (streams.empty()) {
      if (!is_one_of(kProducers, call.op) && !is_one_of(kKeeping, call.op)) refuse(call);
    } else {
      result = passed(index, streams, tensors);
    }
    if (!continues) return;
    for (const auto& of : call.results)
      for (const auto value : of.values)
        if (has_stream(value)) behaviours_[value] = result;
  }

  /// Not the gain of a norm that holds the quadrature weights of a tied embedding behind it.
  bool is_layer(const Consumer& consumer) const {
    return std::any_of(consumer.weights.begin(), consumer.weights.end(), [&](const auto& member) {
      return source_.network.state[member.state].tensor.dim() >= 2;
    });
  }

  std::vector<Member> members_of(size_t state) const {
    std::vector<Member> members;
    for (const auto& member : source_.groups.groups[stream_].members)
      if (member.state == state) members.push_back(member);
    return members;
  }

  Behaviour consumed(size_t index, ValueId value, const std::vector<Member>& weights) {
    const auto read = behaviours_.find(value);
    if (read == behaviours_.end() || read->second.squared || weights.empty())
      refuse(source_.network.calls[index]);
    if (read->second.gain) readers_.push_back({index, *read->second.gain, weights});
    return {};
  }

  Behaviour passed(size_t index, const std::vector<ValueId>& streams, const std::vector<size_t>& tensors) {
    const auto& call = source_.network.calls[index];
    const Behaviour first = behaviours_.at(streams[0]);
    const bool is_single = streams.size() == 1 && tensors.empty();
    if (call.op == "aten::rms_norm" && streams.size() == 1 && !first.gain && !first.squared) {
      if (tensors.empty()) return {};
      if (!is_gain(tensors)) refuse(call);
      norms_.insert(index);
      return {.gain = tensors[0]};
    }
    if (is_one_of(kKeeping, call.op) && tensors.empty()) {
      for (const auto id : streams) require_same(call, behaviours_.at(id), first);
      return first;
    }
    // Of two: a number, or a value without channels, would be added to all channels alike.
    if (is_one_of(kSums, call.op) && streams.size() + tensors.size() == 2) {
      for (const auto id : streams) require_same(call, behaviours_.at(id), {});
      return {};
    }
    if (is_one_of(kMeans, call.op) && is_single) {
      const auto result = call.results[0].values[0];
      if (has_stream(result) || (first.squared && !first.gain)) return first;
    }
    if (is_power_of_two(call) && is_single && !first.gain && !first.squared) return {.squared = true};
    if (is_one_of(kProducts, call.op)) {
      const bool is_square = call.op == "aten::mul" && streams.size() == 2 && streams[0] == streams[1];
      if (is_square && !first.gain && !first.squared) return {.squared = true};
      if (is_single && is_value(call.arguments[0], streams[0])) return first;
      if (is_single && call.op == "aten::mul") return first;
      if (call.op == "aten::mul" && streams.size() == 1 && is_gain(tensors) && !first.gain &&
          !first.squared) {
        norms_.insert(index);
        return {.gain = tensors[0]};
      }
    }
    refuse(call);
  }

  bool is_gain(const std::vector<size_t>& tensors) const {
    return tensors.size() == 1 && source_.network.state[tensors[0]].tensor.sizes() ==
                                      at::IntArrayRef{source_.groups.groups[stream_].width};
  }

  static bool is_value(const Argument& argument, ValueId value) {
    return argument.is_value() && argument.value() == value;
  }

  static bool is_power_of_two(const Call& call) {
    if (call.op == "aten::square") return true;
    return call.op == "aten::pow" && call.arguments[1].is_constant() &&
           call.arguments[1].constant().isScalar() && call.arguments[1].constant().toScalar().toDouble() == 2;
  }

  void require_same(const Call& call, const Behaviour& behaviour, const Behaviour& other) const {
    if (behaviour.squared != other.squared || behaviour.gain != other.gain) refuse(call);
  }

  const AnalysedNetwork& source_;
  GroupId stream_;
  ValueUses uses_;
  std::map<size_t, Consumer> consumers_;  // by call
  std::map<ValueId, Behaviour> behaviours_;
  std::set<size_t> norms_;  // calls that multiply with a gain
  std::vector<Reader> readers_;
};

/// The group of `analysed` that has this axis of the tensor with that name.
GroupId find_stream(const AnalysedNetwork& analysed, const Member& member) {
  const auto state = analysed.network.find_state(member.tensor);
  for (GroupId id = 0; id < analysed.groups.groups.size(); ++id)
    for (const auto& other : analysed.groups.groups[id].members)
      if (other.state == state && other.axis == member.axis && other.offset == member.offset) return id;
  raise<std::logic_error>("data_quadrature", "'{}' has lost its group.", member.tensor);
}

/// The weight scaled by the gain along `members`, which are axes of it.
at::Tensor scaled(const at::Tensor& weight, const std::vector<Member>& members, const at::Tensor& gain) {
  at::Tensor result = weight.detach().to(at::kDouble);
  const at::Tensor factor = gain.detach().to(at::kDouble);
  for (const auto& member : members) {
    at::Tensor along = at::ones({weight.size(member.axis)}, factor.options());
    for (int64_t o = 0; o < member.outer; ++o)
      along.narrow(0, member.offset + o * member.outer_stride, factor.numel() * member.inner)
          .copy_(factor.repeat_interleave(member.inner));
    std::vector<int64_t> shape(static_cast<size_t>(weight.dim()), 1);
    shape[static_cast<size_t>(member.axis)] = -1;
    result = result * along.view(shape);
  }
  return result.to(weight.scalar_type()).set_requires_grad(weight.requires_grad());
}

/// Moves gains into the weights behind them.
class GainFolding {
 public:
  explicit GainFolding(const Network& network) : network_(network), uses_(network) {}

  /// The weight of some readers of one gain, by that gain: where it is if nobody else uses it, else by a copy of its own.
  void fold(size_t state, size_t gain, const std::vector<const Reader*>& readers) {
    std::set<size_t> calls;
    for (const auto* reader : readers) calls.insert(reader->call);
    std::vector<Member> members;
    for (const auto& member : readers[0]->weights)
      if (member.state == state) members.push_back(member);
    const at::Tensor weight = scaled(network_.state[state].tensor, members, network_.state[gain].tensor);
    const ValueId shared = network_.state[state].value;
    const auto& all = uses_.readers(shared);
    if (std::all_of(all.begin(), all.end(), [&](size_t call) { return calls.contains(call); })) {
      network_.state[state].tensor = weight;
      return;
    }
    const ValueId own = add_own(state, weight);
    for (const auto call : calls)
      for (auto& argument : network_.calls[call].arguments)
        argument.for_each_value([&](ValueId& id) {
          if (id == shared) id = own;
        });
  }

  void set_to_one(size_t gain) {
    auto& tensor = network_.state[gain].tensor;
    tensor = at::ones_like(tensor).set_requires_grad(tensor.requires_grad());
  }

  Network take() { return std::move(network_); }
  std::vector<std::string> take_notes() { return std::move(notes_); }

 private:
  ValueId add_own(size_t state, const at::Tensor& weight) {
    auto& entry = network_.state[state];
    StateEntry own{.name = entry.name + "_rotated", .kind = entry.kind, .value = 0, .tensor = weight};
    if (!entry.aliases.empty()) {
      own.name = entry.aliases.front();
      entry.aliases.erase(entry.aliases.begin());
    }
    notes_.push_back("'" + own.name + "' is no longer tied to '" + entry.name +
                     "': the gain of the norm before it was moved into it.");
    Value value = network_.values[static_cast<size_t>(entry.value)];
    value.name = own.name;
    own.value = network_.add_value(std::move(value));
    network_.state.push_back(std::move(own));
    return network_.state.back().value;
  }

  Network network_;
  ValueUses uses_;  // of the network as it was
  std::vector<std::string> notes_;
};

Member producer_of(const Group& group) {
  const auto found = std::find_if(group.members.begin(), group.members.end(),
                                  [](const auto& member) { return member.role == MemberRole::produce; });
  require(found != group.members.end(), "data_quadrature", "Group '{}': no tensor produces it.", group.name);
  return *found;
}

}  // namespace

RotatableStreams rotatable_streams(const AnalysedNetwork& source, const std::vector<GroupId>& streams) {
  const at::NoGradGuard no_grad;
  GainFolding folding(source.network);
  std::map<GroupId, std::set<std::string>> gains;  // by name
  for (const auto stream : streams) {
    const auto readers = StreamWalk(source, stream).readers();
    std::map<std::pair<size_t, size_t>, std::vector<const Reader*>> by_weight;
    for (const auto& reader : readers) {
      gains[stream].insert(source.network.state[reader.gain].name);
      for (const auto& member : reader.weights) {
        auto& its = by_weight[{member.state, reader.gain}];
        if (its.empty() || its.back() != &reader) its.push_back(&reader);
      }
    }
    for (const auto& [key, its] : by_weight) folding.fold(key.first, key.second, its);
    for (const auto& name : gains[stream]) folding.set_to_one(source.network.find_state(name));
  }
  Network network = folding.take();
  network.validate();
  RotatableStreams result{analyse(std::move(network)), {}};
  auto& notes = result.source.groups.notes;
  for (auto& note : folding.take_notes()) notes.push_back(std::move(note));
  for (const auto stream : streams) {
    RotatableStreams::Stream found{find_stream(result.source, producer_of(source.groups.groups[stream])), {}};
    for (const auto& name : gains[stream]) found.gains.push_back(result.source.network.find_state(name));
    result.streams.emplace(stream, std::move(found));
  }
  return result;
}

}  // namespace inn
