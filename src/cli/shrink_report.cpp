#include "shrink_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iostream>

#include "inn/core/atomic_file.h"
#include "inn/report/table.h"

namespace inn::cli {
namespace {

/// Cells by row; the first row is the header.
using Cells = std::vector<std::vector<std::string>>;

std::string rate_text(const std::optional<Rate>& rate) {
  return rate ? fmt::format("{} ± {}", format_percent(rate->rate), format_percent(rate->standard_error()))
              : "–";
}

std::string bytes_text(int64_t bytes) { return format_count(bytes) + (bytes < 1000 ? " B" : "B"); }

Cells figures_cells(const Shrunk& made) {
  const auto& [before, after] = std::tie(made.before, made.after);
  Cells cells{{"", "before", "after", "ratio"}};
  const auto ratio = [](double now, double then) {
    return then > 0 ? fmt::format("{:.3f}", now / then) : "–";
  };
  const auto count = [](double number) { return format_count(static_cast<int64_t>(number)); };
  cells.push_back({"multiply-adds", count(before.macs), count(after.macs), ratio(after.macs, before.macs)});
  cells.push_back({"parameters", count(before.parameters), count(after.parameters),
                   ratio(after.parameters, before.parameters)});
  cells.push_back({"memory", bytes_text(before.memory), bytes_text(after.memory),
                   ratio(static_cast<double>(after.memory), static_cast<double>(before.memory))});
  cells.push_back({"latency", fmt::format("{:.3f} ms", 1e3 * before.latency),
                   fmt::format("{:.3f} ms", 1e3 * after.latency), ratio(after.latency, before.latency)});
  cells.push_back({"agreement", "–", rate_text(after.agreement), ""});
  if (after.output_error)
    cells.push_back({"output error", "–", fmt::format("{:.4f}", *after.output_error), ""});
  if (after.accuracy)
    cells.push_back({"accuracy", rate_text(before.accuracy), rate_text(after.accuracy), ""});
  if (after.loss)
    cells.push_back({"loss", fmt::format("{:.4f}", *before.loss), fmt::format("{:.4f}", *after.loss), ""});
  return cells;
}

Cells width_cells(const Shrunk& made) {
  Cells cells{{"group", "source width", "width"}};
  for (const auto& [name, widths] : made.widths)
    cells.push_back({name, std::to_string(widths.first), std::to_string(widths.second)});
  return cells;
}

Cells stage_cells(const Shrunk& made) {
  Cells cells{{"stage", "result", "seconds"}};
  for (const auto& stage : made.stages)
    cells.push_back({stage.name, stage.result, fmt::format("{:.1f}", stage.seconds)});
  return cells;
}

void print(const Cells& cells) {
  Table table(cells.front());
  for (size_t row = 1; row < cells.size(); ++row) table.add_row(cells[row]);
  std::cout << table << '\n';
}

std::string markdown(const Cells& cells) {
  const std::vector<std::string> rule(cells.front().size(), "---");
  std::string text;
  const auto add = [&](const std::vector<std::string>& row) {
    text += fmt::format("| {} |\n", fmt::join(row, " | "));
  };
  add(cells.front());
  add(rule);
  for (size_t row = 1; row < cells.size(); ++row) add(cells[row]);
  return text;
}

Json rate_json(const Rate& rate) {
  return {{"rate", rate.rate}, {"count", rate.count}, {"standard_error", rate.standard_error()}};
}

Json figures_json(const NetworkFigures& figures) {
  Json record{{"macs", figures.macs},
              {"parameters", figures.parameters},
              {"memory", figures.memory},
              {"latency", figures.latency}};
  if (figures.agreement) record["agreement"] = rate_json(*figures.agreement);
  if (figures.output_error) record["output_error"] = *figures.output_error;
  if (figures.accuracy) record["accuracy"] = rate_json(*figures.accuracy);
  if (figures.loss) record["loss"] = *figures.loss;
  return record;
}

}  // namespace

void print_shrink(const Shrunk& made) {
  print(width_cells(made));
  print(stage_cells(made));
  print(figures_cells(made));
  for (const auto& note : made.notes) std::cout << note << '\n';
}

Json shrink_json(const Shrunk& made) {
  Json groups = Json::array(), stages = Json::array();
  for (const auto& [name, widths] : made.widths)
    groups.push_back({{"name", name}, {"source_width", widths.first}, {"width", widths.second}});
  for (const auto& stage : made.stages)
    stages.push_back({{"name", stage.name}, {"result", stage.result}, {"seconds", stage.seconds}});
  return {{"before", figures_json(made.before)},
          {"after", figures_json(made.after)},
          {"groups", std::move(groups)},
          {"stages", std::move(stages)},
          {"notes", made.notes},
          {"seconds", made.seconds}};
}

void write_shrink_report(const Shrunk& made, const std::filesystem::path& file, const std::string& source) {
  std::string text = fmt::format("# {}, made smaller\n\n{}\n", source, markdown(figures_cells(made)));
  text += "Agreement and output error are measured on calibration samples that were held out.\n\n";
  text +=
      "## Widths\n\n" + markdown(width_cells(made)) + "\n## What was done\n\n" + markdown(stage_cells(made));
  for (const auto& note : made.notes) text += "\n" + note + "\n";
  write_atomically(file, text);
}

}  // namespace inn::cli
