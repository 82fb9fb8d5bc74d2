#include <CLI/CLI.hpp>
#include <iostream>
#include <map>

#include "commands/command.h"
#include "inn/dimension/rule.h"
#include "inn/network/onnx_operators.h"
#include "options/general.h"

namespace inn::cli {
namespace {

struct OperatorsArguments {
  GeneralOptions general;
  bool onnx = false;
};

/// The operators by what their rules state, in the order of the first operator of each.
std::vector<std::pair<std::string, std::vector<std::string>>> by_statement() {
  const RuleTable table = RuleTable::standard();
  std::vector<std::pair<std::string, std::vector<std::string>>> rows;
  std::map<std::string, size_t> places;
  for (const auto& [op, rule] : table.rules()) {
    const auto [found, is_new] = places.try_emplace(rule.doc, rows.size());
    if (is_new) rows.push_back({rule.doc, {}});
    rows[found->second].second.push_back(op);
  }
  return rows;
}

std::string in_code(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "`" : ", `") + name + "`";
  return text;
}

int list_onnx(bool json) {
  const auto read = onnx_operators_read(), written = onnx_operators_written();
  if (json) {
    print({{"read", read}, {"written", written}});
    return 0;
  }
  std::cout << "# Operators of ONNX\n\nThis page is the output of `inn operators --onnx`.\n\n"
            << fmt::format(
                   "## Read\n\nThese {} operators of ONNX, opset 11 to 23, and `If` where sizes decide which "
                   "branch is taken:\n\n{}.\n\n",
                   read.size(), in_code(read))
            << fmt::format(
                   "## Written\n\nThese {} operators of torch, and their in-place variants; an overload is "
                   "named where others are not "
                   "written in this way:\n\n{}.\n",
                   written.size(), in_code(written));
  return 0;
}

int run(const OperatorsArguments& options) {
  start(options.general);
  if (options.onnx) return list_onnx(options.general.json);
  if (options.general.json) {
    Json list = Json::array();
    for (const auto& [statement, ops] : by_statement())
      list.push_back({{"operators", ops}, {"states", statement}});
    print({{"rules", std::move(list)}});
    return 0;
  }
  std::cout << "# Operators\n\nThe rule of each operator: the equations between the axes of its arguments "
               "and results. In-place variants and all overloads\nshare a rule unless an overload is listed "
               "separately. Axes touched by an operator that is not listed cannot be resized.\n*Consumed* "
               "means that the operator sums over the axis. A *positional* axis cannot be resized, because "
               "the operator treats its\npositions individually. This page is the output of `inn "
               "operators`.\n\n| operators | rule |\n| --- | --- |\n";
  for (const auto& [statement, ops] : by_statement()) {
    std::string names;
    for (const auto& op : ops) names += (names.empty() ? "`" : ", `") + op.substr(op.find("::") + 2) + "`";
    std::cout << "| " << names << " | " << statement << " |\n";
  }
  return 0;
}

}  // namespace

Command operators_command() {
  return {.name = "operators",
          .summary = "Lists the supported operators and their rules",
          .examples =
              "  inn operators\n"
              "  inn operators --json\n"
              "  inn operators --onnx",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<OperatorsArguments>();
            app.add_flag("--onnx", options->onnx,
                         "List the operators that pass from and to ONNX models instead");
            add_general_options(app, options->general);
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
