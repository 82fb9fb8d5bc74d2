#include <CLI/CLI.hpp>
#include <iostream>
#include <set>

#include "commands/command.h"
#include "inn/report/network_drawing.h"
#include "inn/report/table.h"
#include "options/general.h"
#include "options/model_source.h"
#include "output.h"

namespace inn::cli {
namespace {

struct Options {
  GeneralOptions general;
  ModelOptions model;
  std::filesystem::path drawing;
};

Json member_json(const Member& member) {
  return {{"tensor", member.tensor},
          {"axis", member.axis},
          {"role", member.role == Role::produce ? "produce" : "consume"},
          {"offset", member.offset},
          {"outer", member.outer},
          {"outer_stride", member.outer_stride},
          {"inner", member.inner}};
}

Json groups_json(const Groups& groups) {
  Json list = Json::array();
  for (const auto& group : groups.groups) {
    Json members = Json::array();
    for (const auto& member : group.members) members.push_back(member_json(member));
    list.push_back({{"name", group.name},
                    {"width", group.width},
                    {"pinned", group.pinned ? Json(*group.pinned) : Json()},
                    {"members", std::move(members)}});
  }
  return {{"groups", std::move(list)}, {"unknown_operators", groups.unknown_operators}};
}

/// "layer1.0.conv1.weight[0] layer1.0.bn1.bias[0]", at most three of them, each axis once.
std::string members_text(const Group& group, Role role) {
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

void print_table(const Groups& groups) {
  Table table({"group", "width", "produced by", "consumed by", "pinned"});
  for (const auto& group : groups.groups)
    table.add_row({group.name, std::to_string(group.width), members_text(group, Role::produce),
                   members_text(group, Role::consume), group.pinned.value_or("")});
  std::cout << table;
  for (const auto& [name, count] : groups.unknown_operators)
    std::cout << fmt::format("Operator {} has no rule ({} calls): what it touches is pinned.\n", name, count);
}

int run(const Options& options) {
  start(options.general);
  if (!options.drawing.empty()) check_drawing_output(options.drawing);
  // The tensors that are listed are those of the file.
  auto network = read_network(options.model, options.general.seed);
  const auto source =
      is_integral(network) ? open_model(std::move(network)).source() : analyse_as_written(std::move(network));
  const auto& groups = source.groups;
  if (!options.drawing.empty()) draw_network(options.drawing, source);
  if (options.general.json) {
    print(groups_json(groups));
  } else {
    print_table(groups);
  }
  return 0;
}

}  // namespace

Command groups_command() {
  return {.name = "groups",
          .summary = "The groups of a model: axes of tensors that must have one width",
          .examples =
              "  inn groups resnet20.pt2\n"
              "  inn groups zoo:resnet18 --json\n"
              "  inn groups zoo:resnet20 --draw groups.svg\n"
              "  inn groups scripted.pt --input-size 1,3,224,224",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<Options>();
            add_model_options(app, options->model);
            app.add_option(
                   "--draw", options->drawing,
                   "Draw the network with its groups, one colour each: .svg, .png, .pdf (by Graphviz), .dot")
                ->type_name("OUT");
            add_general_options(app, options->general);
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
