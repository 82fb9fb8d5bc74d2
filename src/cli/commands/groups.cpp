#include <CLI/CLI.hpp>
#include <iostream>
#include <set>

#include "commands/command.h"
#include "inn/dimension/fraction_groups.h"
#include "inn/methods/model_widths.h"
#include "inn/report/network_drawing.h"
#include "inn/report/table.h"
#include "options/run_context.h"
#include "output.h"

namespace inn::cli {
namespace {

struct GroupsArguments {
  RunContext context;
  std::filesystem::path drawing;
};

Json member_json(const Member& member) {
  return {{"tensor", member.tensor},
          {"axis", member.axis},
          {"role", member.role == MemberRole::produce ? "produce" : "consume"},
          {"offset", member.offset},
          {"outer", member.outer},
          {"outer_stride", member.outer_stride},
          {"inner", member.inner}};
}

/// The factors of a product by name and width: "attn:0 (8) · attn:1 (32)".
std::string factors_text(const AxisProduct& product, const Groups& groups) {
  std::string text;
  for (const auto& factor : product.factors) {
    std::string sum;
    for (const auto id : factor)
      sum +=
          fmt::format("{}{} ({})", sum.empty() ? "" : " + ", groups.groups[id].name, groups.groups[id].width);
    text += (text.empty() ? "" : " · ") + (factor.size() > 1 ? "(" + sum + ")" : sum);
  }
  return text;
}

/// "attn.qkv.weight[0]": the axes that hold a product.
std::vector<std::string> axes_of(const AxisProduct& product, const Network& network) {
  std::vector<std::string> axes;
  for (const auto& [state, axis] : product.axes)
    axes.push_back(fmt::format("{}[{}]", network.state[state].name, axis));
  return axes;
}

Json products_json(const AnalysedNetwork& source, const std::set<GroupId>& following) {
  const auto& groups = source.groups;
  Json list = Json::array();
  for (const auto& product : axis_products(groups)) {
    Json factors = Json::array(), cut = Json::array();
    for (const auto& factor : product.factors) {
      Json names = Json::array();
      for (const auto id : factor) {
        names.push_back(groups.groups[id].name);
        if (following.contains(id)) cut.push_back(groups.groups[id].name);
      }
      factors.push_back(std::move(names));
    }
    list.push_back({{"factors", std::move(factors)},
                    {"axes", axes_of(product, source.network)},
                    {"follow_fraction", std::move(cut)}});
  }
  return list;
}

Json groups_json(const AnalysedNetwork& source, const std::set<GroupId>& following) {
  const auto& groups = source.groups;
  Json list = Json::array();
  for (GroupId id = 0; id < groups.groups.size(); ++id) {
    const auto& group = groups.groups[id];
    Json members = Json::array();
    for (const auto& member : group.members) members.push_back(member_json(member));
    list.push_back({{"name", group.name},
                    {"width", group.width},
                    {"pinned", group.pinned ? Json(*group.pinned) : Json()},
                    {"follows_fraction", following.contains(id)},
                    {"positions", group.positions},
                    {"members", std::move(members)}});
  }
  return {{"groups", std::move(list)},
          {"products", products_json(source, following)},
          {"unknown_operators", groups.unknown_operators}};
}

/// "layer1.0.conv1.weight[0] layer1.0.bn1.bias[0]", at most three of them, each axis once.
std::string members_text(const Group& group, MemberRole role) {
  constexpr size_t kShown = 3;
  std::string text;
  std::set<std::string> seen;
  for (const auto& member : group.members) {
    const auto name = fmt::format("{}[{}]", member.tensor, member.axis);
    if (member.role != role || !seen.insert(name).second || seen.size() > kShown) continue;
    text += (text.empty() ? "" : " ") + name;
  }
  const size_t count = seen.size();
  return count > kShown ? text + fmt::format(" and {} more", count - kShown) : text;
}

/// The products, and which of their factors a fraction of all widths is for.
void print_products(const AnalysedNetwork& source, const std::set<GroupId>& following) {
  const auto products = axis_products(source.groups);
  if (products.empty()) return;
  constexpr size_t kShown = 2;
  Table table({"product", "axes", "resized by --keep"});
  for (const auto& product : products) {
    std::string axes, cut;
    const auto names = axes_of(product, source.network);
    for (size_t k = 0; k < std::min(names.size(), kShown); ++k) axes += (k > 0 ? " " : "") + names[k];
    if (names.size() > kShown) axes += fmt::format(" and {} more", names.size() - kShown);
    for (const auto& factor : product.factors)
      for (const auto id : factor)
        if (following.contains(id)) cut += (cut.empty() ? "" : " ") + source.groups.groups[id].name;
    table.add_row({factors_text(product, source.groups), axes, cut});
  }
  std::cout << "\nDimensions that are products of groups: a fraction refers to the whole dimension, so "
               "--keep resizes one factor unless others are named.\n"
            << table;
}

void print_table(const AnalysedNetwork& source, const std::set<GroupId>& following) {
  const auto& groups = source.groups;
  Table table({"group", "width", "produced by", "consumed by", "pinned"});
  size_t positions = 0;
  for (const auto& group : groups.groups) {
    positions += group.positions ? 1 : 0;
    if (group.positions) continue;
    table.add_row({group.name, std::to_string(group.width), members_text(group, MemberRole::produce),
                   members_text(group, MemberRole::consume), group.pinned.value_or("")});
  }
  std::cout << table;
  print_products(source, following);
  if (positions > 0)
    std::cout << fmt::format(
        "Positional groups (kernel positions, indices) are not shown: {}. --json lists them.\n", positions);
  for (const auto& [name, count] : groups.unknown_operators)
    std::cout << fmt::format(
        "Operator {} has no rule ({} calls): the dimensions it touches cannot be resized.\n", name, count);
}

/// For a page; it does without, where Graphviz is missing.
std::string drawing_of(const AnalysedNetwork& source) {
  try {
    return network_svg(source);
  } catch (const std::runtime_error& error) {
    std::cerr << "inn: the page has no drawing: " << error.what() << '\n';
    return "";
  }
}

int run(const GroupsArguments& options) {
  options.context.start();
  if (!options.drawing.empty()) check_drawing_output(options.drawing);
  // The tensors that are listed are those of the file.
  auto network = read_network(options.context.model, options.context.general.seed);
  AnyModel model;
  if (is_integral(network)) {
    model = open_model(std::move(network));
  } else {
    model.plain = analyse_as_written(std::move(network));
  }
  const auto& source = model.source();
  const auto ids = fraction_groups(model, source);
  const std::set<GroupId> following(ids.begin(), ids.end());
  if (!options.drawing.empty()) draw_network(options.drawing, source);
  show(
      options.context.general, groups_json(source, following), [&] { print_table(source, following); },
      [&] { return drawing_of(source); });
  return 0;
}

}  // namespace

Command groups_command() {
  return {.name = "groups",
          .summary = "Lists coupled dimensions (groups), and why some cannot be resized",
          .examples =
              "  inn groups resnet20.pt2\n"
              "  inn groups zoo:resnet18 --json\n"
              "  inn groups zoo:resnet20 --draw groups.svg\n"
              "  inn groups scripted.pt --input-size 1,3,224,224",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<GroupsArguments>();
            options->context.add_model(app);
            app.add_option("--draw", options->drawing,
                           "Draw the network, one color per group: .svg, .png, .pdf (by Graphviz) or .dot")
                ->type_name("OUT");
            options->context.add_options(app, {.html = true});
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
