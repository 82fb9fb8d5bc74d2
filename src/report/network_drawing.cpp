#include "inn/report/network_drawing.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "child_program.h"
#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "markup.h"
#include "network_graph.h"

namespace inn {
namespace {

constexpr const char* kPinnedColor = "#c8c8c8";

/// Hues a golden section apart, so that neighbours in the list differ most; every 17th group is darker.
std::string group_color(const Groups& groups, GroupId id) {
  if (groups.groups[id].pinned) return kPinnedColor;
  constexpr double kGoldenSection = 0.61803398874989485;
  const double hue = 6 * std::fmod(0.55 + kGoldenSection * static_cast<double>(id), 1.0);
  const double bright = id / 17 % 2 == 0 ? 0.93 : 0.8, saturation = id / 34 % 2 == 0 ? 0.5 : 0.68;
  const auto channel = [&](double shift) {
    const double place = std::fmod(shift + hue, 6.0);
    const double part = std::max(0.0, std::min({place, 4 - place, 1.0}));
    return static_cast<int>(std::lround(255 * bright * (1 - saturation * part)));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", channel(5), channel(3), channel(1));
}

/// Text in a label or an attribute in quotes: markup and backslashes are escaped, control characters become spaces.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char character : escape_markup(text)) {
    if (character == '\\')
      result += "&#92;";
    else
      result += static_cast<unsigned char>(character) < ' ' ? ' ' : character;
  }
  return result;
}

/// Writes the parts of the drawing's text.
class Drawing {
 public:
  Drawing(const AnalysedNetwork& source, const NetworkGraph& graph)
      : network_(source.network), groups_(source.groups), graph_(graph), state_of_(network_.values.size()) {
    for (size_t s = 0; s < network_.state.size(); ++s) state_of_[network_.state[s].value] = s;
    members_of_.resize(network_.state.size());
    for (GroupId g = 0; g < groups_.groups.size(); ++g) {
      if (groups_.groups[g].positions) continue;
      shown_.push_back(g);
      for (const auto& member : groups_.groups[g].members) members_of_[member.state].push_back({g, &member});
    }
  }

  std::string text() const {
    std::string dot =
        "digraph network {\n"
        "  graph [fontname=\"sans-serif\", nodesep=0.3, ranksep=0.35, nslimit=1, nslimit1=1];\n"
        "  node [shape=plaintext, fontname=\"sans-serif\", fontsize=11, margin=0];\n"
        "  edge [penwidth=2, arrowsize=0.6];\n";
    for (size_t n = 0; n < graph_.nodes.size(); ++n) dot += node(n);
    for (const auto& edge : graph_.edges) dot += this->edge(edge);
    return dot + legend() + "}\n";
  }

 private:
  struct Place {
    GroupId group;
    const Member* member;
  };

  static std::string cell(const std::string& text, const std::string& color) {
    return fmt::format("<TD{}>{}</TD>", color.empty() ? "" : " BGCOLOR=\"" + color + "\"", text);
  }
  static std::string table(const std::string& cells) {
    return "<TABLE BORDER=\"0\" CELLBORDER=\"1\" CELLSPACING=\"0\" CELLPADDING=\"2\"><TR>" + cells +
           "</TR></TABLE>";
  }

  /// One cell for each variable and number of the axis: 2·16, 8⊕8. `sums(group)` says which are summed over.
  template <class Sums>
  std::string axis_cells(const AxisStructure& axis, const std::string& joint, const Sums& sums) const {
    std::string cells;
    for (const auto& part : axis.parts)
      cells += axis_cells(part, cells.empty() ? joint : axis.is_sum() ? "⊕" : "·", sums);
    if (!axis.parts.empty()) return cells;
    const bool grouped = is_shown(axis);
    const auto id = static_cast<GroupId>(axis.variable);
    return cell(fmt::format("{}{}{}", joint, grouped && sums(id) ? "∫" : "", axis.size),
                grouped ? group_color(groups_, id) : "");
  }

  std::string tensor_row(const std::string& name, const std::string& cells) const {
    return "<TR><TD>" + table(cell(escaped(name), "#ffffff") + cells) + "</TD></TR>";
  }

  std::string value_row(ValueId id, const std::string& name) const {
    std::string cells;
    const auto& value = network_.values[id];
    const auto& axes = groups_.value_axes[id];
    for (size_t d = 0; d < value.sizes.size(); ++d) {
      const auto plain = AxisStructure::of_constant(value.sizes[d]);
      cells += axis_cells(d < axes.size() ? axes[d] : plain, "", [](GroupId) { return false; });
    }
    return tensor_row(name, cells);
  }

  std::string state_row(size_t state) const {
    std::string cells;
    for (size_t d = 0; d < groups_.axes[state].size(); ++d) {
      const AxisStructure& axis = groups_.axes[state][d];
      const std::vector<AxisStructure> terms = axis.is_sum() ? axis.parts : std::vector<AxisStructure>{axis};
      for (size_t term = 0; term < terms.size(); ++term)
        cells += axis_cells(terms[term], term > 0 ? "⊕" : "", [&](GroupId id) {
          return groups_.role(state, static_cast<int64_t>(d), term, id) == MemberRole::consume;
        });
    }
    const auto& name = network_.state[state].name;
    return tensor_row(name.substr(name.rfind('.') + 1), cells);
  }

  /// The state that the node's calls read, each once, in order.
  std::vector<size_t> states_of(const NetworkGraph::Node& node) const {
    std::vector<size_t> states;
    for (const auto index : node.calls)
      for (const auto& argument : network_.calls[index].arguments)
        argument.for_each_value([&](ValueId id) {
          if (const auto state = state_of_[id];
              state && std::find(states.begin(), states.end(), *state) == states.end())
            states.push_back(*state);
        });
    return states;
  }

  /// One line a member. Graphviz reads no more than 16 KiB of a quoted string at once, so each ends in a line
  /// continuation.
  std::string tooltip(const std::vector<size_t>& states) const {
    std::string text;
    for (const auto state : states)
      for (const auto& [group, member] : members_of_[state])
        text += fmt::format("{}{}[{}] {}s {}, channel c at {} + o·{} + c·{} + i, o &lt; {}, i &lt; {}",
                            text.empty() ? "" : "&#10;\\\n", escaped(member->tensor), member->axis,
                            member->role == MemberRole::produce ? "produce" : "consume",
                            escaped(groups_.groups[group].name), member->offset, member->outer_stride,
                            member->inner, member->outer, member->inner);
    return text;
  }

  /// "12 calls: linear ×4, add ×3, …", the most frequent first.
  std::string operators_text(const NetworkGraph::Node& node) const {
    constexpr size_t kShown = 4;
    std::map<std::string, int64_t> counts;
    for (const auto index : node.calls) {
      const auto& op = network_.calls[index].op;
      ++counts[op.substr(op.rfind(':') + 1)];
    }
    if (node.calls.size() == 1) return counts.begin()->first;
    std::vector<std::pair<std::string, int64_t>> sorted(counts.begin(), counts.end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    std::string text = fmt::format("{} calls: ", node.calls.size());
    for (size_t k = 0; k < sorted.size() && k < kShown; ++k)
      text += fmt::format("{}{} ×{}", k > 0 ? ", " : "", sorted[k].first, sorted[k].second);
    return sorted.size() > kShown ? text + ", …" : text;
  }

  /// The groups of the tensors that a node of many calls reads, by width.
  std::string groups_row(const std::vector<size_t>& states) const {
    constexpr size_t kShown = 12;
    std::vector<GroupId> ids;
    for (const auto state : states)
      for (const auto& place : members_of_[state])
        if (std::find(ids.begin(), ids.end(), place.group) == ids.end()) ids.push_back(place.group);
    std::string cells;
    for (size_t k = 0; k < ids.size() && k < kShown; ++k)
      cells += cell(std::to_string(groups_.groups[ids[k]].width), group_color(groups_, ids[k]));
    if (ids.size() > kShown) cells += cell("…", "");
    return cells.empty() ? "" : tensor_row("groups", cells);
  }

  std::string node(size_t n) const {
    using Kind = NetworkGraph::Node::Kind;
    constexpr size_t kResults = 3;  // shown of a node that gives more
    const auto& node = graph_.nodes[n];
    std::string rows =
        fmt::format("<TR><TD><B>{}</B></TD></TR>", escaped(node.title.empty() ? "network" : node.title));
    const auto states = states_of(node);
    if (node.kind == Kind::calls) rows += fmt::format("<TR><TD>{}</TD></TR>", escaped(operators_text(node)));
    if (node.kind == Kind::input) rows += value_row(network_.inputs[n], "in");
    if (node.kind == Kind::output)
      for (const auto& edge : graph_.edges)
        if (edge.to == n) rows += value_row(edge.value, "out");
    if (node.calls.size() == 1)
      for (const auto state : states) rows += state_row(state);
    if (node.calls.size() > 1) rows += groups_row(states);
    for (size_t k = 0; node.kind == Kind::calls && k < node.leaving.size() && k < kResults; ++k)
      rows += value_row(node.leaving[k], "gives");
    return fmt::format(
        "  n{} [tooltip=\"{}\", label=<<TABLE BORDER=\"1\" CELLBORDER=\"0\" CELLSPACING=\"0\" "
        "CELLPADDING=\"2\" BGCOLOR=\"{}\"{}>{}</TABLE>>];\n",
        n, tooltip(states), node.kind == Kind::calls ? "#ffffff" : "#eeeeee",
        node.kind == Kind::calls ? "" : " STYLE=\"ROUNDED\"", rows);
  }

  std::string edge(const NetworkGraph::Edge& edge) const {
    std::vector<std::string> colors;
    for (const auto& axis : groups_.value_axes[edge.value])
      axis.for_each_variable([&](const AxisStructure& leaf) {
        if (!is_shown(leaf)) return;
        const auto color = group_color(groups_, static_cast<GroupId>(leaf.variable));
        if (std::find(colors.begin(), colors.end(), color) == colors.end()) colors.push_back(color);
      });
    std::string list;
    for (const auto& color : colors) list += (list.empty() ? "" : ":") + color;
    return fmt::format("  n{} -> n{} [color=\"{}\", tooltip=\"{}\"];\n", edge.from, edge.to,
                       list.empty() ? "#555555" : list, escaped(network_.values[edge.value].name));
  }

  /// Kernel taps and the like are numbers in a drawing.
  bool is_shown(const AxisStructure& axis) const {
    return axis.is_variable() && axis.variable >= 0 &&
           !groups_.groups[static_cast<GroupId>(axis.variable)].positions;
  }

  /// Name, width and why it is pinned, of every group, in columns of some tens.
  std::string legend() const {
    constexpr size_t kRows = 40;
    std::string blocks, rows;
    size_t columns = 0;
    for (size_t k = 0; k < shown_.size(); ++k) {
      const auto& group = groups_.groups[shown_[k]];
      rows += fmt::format(
          "<TR><TD BGCOLOR=\"{}\">{}</TD><TD ALIGN=\"LEFT\">{}</TD><TD ALIGN=\"LEFT\">{}</TD></TR>",
          group_color(groups_, shown_[k]), group.width, escaped(group.name),
          group.pinned ? "pinned: " + escaped(*group.pinned) : "");
      if (k % kRows + 1 < kRows && k + 1 < shown_.size()) continue;
      blocks +=
          "<TD VALIGN=\"TOP\"><TABLE BORDER=\"0\" CELLBORDER=\"1\" CELLSPACING=\"0\" CELLPADDING=\"3\">" +
          rows + "</TABLE></TD>";
      rows.clear();
      ++columns;
    }
    if (columns == 0) blocks = "<TD>none</TD>";
    return fmt::format(
        "  legend [label=<<TABLE BORDER=\"0\"><TR><TD COLSPAN=\"{}\" ALIGN=\"LEFT\"><B>Groups</B>: width, "
        "name; ∫: "
        "summed over; grey: pinned</TD></TR><TR>{}</TR></TABLE>>];\n",
        std::max<size_t>(columns, 1), blocks);
  }

  const Network& network_;
  const Groups& groups_;
  const NetworkGraph& graph_;
  std::vector<GroupId> shown_;                   // all but positions
  std::vector<std::optional<size_t>> state_of_;  // by value
  std::vector<std::vector<Place>> members_of_;   // by state
};

/// The graph as an image, by Graphviz.
std::string laid_out(const std::string& dot, const std::string& format) {
  const ChildProgram graphviz{
      .arguments = {"dot", "-T" + format}, .purpose = "A drawing other than .dot", .package = "graphviz"};
  return run_child(graphviz, dot);
}

}  // namespace

const std::vector<std::string>& drawing_extensions() {
  static const std::vector<std::string> extensions{".svg", ".png", ".pdf", ".dot"};
  return extensions;
}

std::string network_dot(const AnalysedNetwork& source, const DrawingOptions& options) {
  require(options.most_nodes >= 1, "report", "A drawing must have at least 1 node but got {}.",
          options.most_nodes);
  return Drawing(source, graph_of(source.network, options.most_nodes)).text();
}

void draw_network(const std::filesystem::path& path, const AnalysedNetwork& source,
                  const DrawingOptions& options) {
  const auto& known = drawing_extensions();
  const std::string extension = path.extension().string();
  require(std::find(known.begin(), known.end(), extension) != known.end(), "report",
          "A drawing must end in {} but is '{}'.", fmt::join(known, ", "), path.string());
  const std::string dot = network_dot(source, options);
  write_atomically(path, extension == ".dot" ? dot : laid_out(dot, extension.substr(1)));
}

std::string network_svg(const AnalysedNetwork& source, const DrawingOptions& options) {
  return laid_out(network_dot(source, options), "svg");
}

}  // namespace inn
