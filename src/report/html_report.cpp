#include "inn/report/html_report.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "html_assets.h"
#include "inn/core/error.h"
#include "inn/report/table.h"
#include "markup.h"

namespace inn {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostItems = 3;        // of a list in a cell
constexpr size_t kMostBytes = 2 << 20;  // of a document with the members of its groups
constexpr int kDeepest = 6;

std::string label_of(const std::string& key) {
  if (key == "macs") return "multiply-adds";
  std::string label = key;
  std::replace(label.begin(), label.end(), '_', ' ');
  return label;
}

bool is_rate(const std::string& key) { return key == "accuracy" || key == "agreement" || key == "rate"; }

std::string number_text(const std::string& key, const Json& value) {
  if (value.is_number_integer()) {
    const auto number = value.get<int64_t>();
    return std::abs(number) >= 100'000 ? format_count(number) : std::to_string(number);
  }
  const double number = value.get<double>();
  if (is_rate(key)) return format_percent(number);
  if (std::abs(number) >= 1e5 && std::abs(number) < 9e18) return format_count(static_cast<int64_t>(number));
  return fmt::format("{:.4g}", number);
}

std::string scalar_text(const std::string& key, const Json& value) {
  if (value.is_null()) return "–";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number()) return number_text(key, value);
  return escape_markup(value.get<std::string>());
}

std::string item_text(const std::string& key, const Json& item) {
  if (item.is_primitive()) return scalar_text(key, item);
  const auto tensor = item.is_object() ? item.find("tensor") : item.end(),
             axis = item.is_object() ? item.find("axis") : item.end();
  if (tensor != item.end() && axis != item.end() && tensor->is_string())
    return escape_markup(fmt::format("{}[{}]", tensor->get<std::string>(), axis->dump()));
  return fmt::format("{} items", item.size());
}

/// A list or an object in one cell: its first items; of an object the others where the reader opens them.
std::string summary_text(const Json& value) {
  std::string shown, hidden;
  size_t place = 0;
  for (const auto& [key, item] : value.items()) {
    const auto text = (value.is_object() ? escape_markup(label_of(key)) + " " : "") + item_text(key, item);
    std::string& part = place++ < kMostItems ? shown : hidden;
    if (&part == &shown || value.is_object()) part += (part.empty() ? "" : ", ") + text;
  }
  if (value.size() <= kMostItems) return shown;
  const auto more = fmt::format("and {} more", value.size() - kMostItems);
  if (!value.is_object()) return shown + " " + more;
  return fmt::format("{} <details><summary>{}</summary>{}</details>", shown, more, hidden);
}

std::string cell(const std::string& key, const Json& value) {
  if (value.is_number())
    return fmt::format("<td class=\"number\" data-v=\"{}\" title=\"{}\">{}</td>", value.dump(), value.dump(),
                       scalar_text(key, value));
  return fmt::format("<td>{}</td>", value.is_primitive() ? scalar_text(key, value) : summary_text(value));
}

/// The width, with a bar of what is left.
std::string width_cell(const Json& width, const Json& source) {
  const double share = source.get<double>() > 0 ? width.get<double>() / source.get<double>() : 0;
  return fmt::format(
      "<td class=\"number\" data-v=\"{0}\">{0}<span class=\"bar\"><i "
      "style=\"width:{1:.0f}%\"></i></span></td>",
      width.dump(), 100 * std::clamp(share, 0.0, 1.0));
}

/// A table of objects: a column for each name that one of them has.
void add_table(std::string& page, const std::string& key, const Json& rows) {
  std::vector<std::string> columns;
  std::set<std::string> known;
  std::set<std::string> numeric;
  for (const auto& row : rows)
    for (const auto& [name, value] : row.items()) {
      if (name == "curve" || name == "nodes") continue;  // shown when a group is chosen
      if (known.insert(name).second) columns.push_back(name);
      if (value.is_number()) numeric.insert(name);
    }
  page += fmt::format(
      "<h3>{} <span class=\"faint\">{}</span></h3><div class=\"scroll\"><table data-key=\"{}\"><thead><tr>",
      escape_markup(label_of(key)), rows.size(), escape_markup(key));
  for (const auto& name : columns)
    page += fmt::format("<th{}>{}</th>", numeric.contains(name) ? " class=\"number\"" : "",
                        escape_markup(label_of(name)));
  page += "</tr></thead><tbody>\n";
  size_t place = 0;
  for (const auto& row : rows) {
    page += fmt::format("<tr data-row=\"{}\">", place++);
    for (const auto& name : columns) {
      const auto found = row.find(name);
      if (found == row.end())
        page += "<td></td>";
      else if (name == "width" && row.contains("source_width") && found->is_number() &&
               row["source_width"].is_number())
        page += width_cell(*found, row["source_width"]);
      else
        page += cell(name, *found);
    }
    page += "</tr>\n";
  }
  page += "</tbody></table></div>\n";
}

/// Names and values, or names and their values before and after.
void add_values(std::string& page, const std::string& title, const Json& values) {
  std::string rows;
  for (const auto& [key, value] : values.items())
    if (value.is_primitive())
      rows += fmt::format("<tr><th scope=\"row\">{}</th>{}</tr>\n", escape_markup(label_of(key)),
                          cell(key, value));
  if (rows.empty()) return;
  if (!title.empty()) page += fmt::format("<h3>{}</h3>", escape_markup(label_of(title)));
  page += fmt::format("<table class=\"values\"><tbody>{}</tbody></table>\n", rows);
}

Json rate_or_value(const Json& value) {
  return value.is_object() && value.contains("rate") ? value["rate"] : value;
}

void add_before_and_after(std::string& page, const Json& before, const Json& after) {
  page +=
      "<h3>before and after</h3><table class=\"values\"><thead><tr><th></th><th "
      "class=\"number\">before</th><th class=\"number\">after</th><th "
      "class=\"number\">ratio</th></tr></thead><tbody>\n";
  for (const auto& [key, value] : after.items()) {
    const Json now = rate_or_value(value), then = before.contains(key) ? rate_or_value(before[key]) : Json();
    const bool has_ratio = now.is_number() && then.is_number() && then.get<double>() > 0 && !is_rate(key);
    page += fmt::format("<tr><th scope=\"row\">{}</th>{}{}<td class=\"number\">{}</td></tr>\n",
                        escape_markup(label_of(key)), cell(key, then), cell(key, now),
                        has_ratio ? fmt::format("{:.3f}", now.get<double>() / then.get<double>()) : "");
  }
  page += "</tbody></table>\n";
}

bool is_table(const Json& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const Json& row) { return row.is_object(); });
}

void add_document(std::string& page, const Json& document, int depth) {
  add_values(page, "", document);
  const bool has_both = document.contains("before") && document.contains("after") &&
                        document["before"].is_object() && document["after"].is_object();
  if (has_both) add_before_and_after(page, document["before"], document["after"]);
  for (const auto& [key, value] : document.items()) {
    if (value.is_primitive() || value.empty() || (has_both && (key == "before" || key == "after"))) continue;
    if (depth == 0 && key == "run") continue;  // at the end
    if (is_table(value)) {
      add_table(page, key, value);
      if (key == "groups") page += "<div class=\"chosen-group\"></div>\n";
    } else if (value.is_array()) {
      page += fmt::format("<h3>{}</h3><ul>", escape_markup(label_of(key)));
      for (const auto& item : value)
        page += fmt::format("<li>{}</li>", item.is_primitive() ? scalar_text(key, item) : summary_text(item));
      page += "</ul>\n";
    } else if (depth < kDeepest) {
      add_values(page, key, value);
      Json inner = Json::object();
      for (const auto& [name, item] : value.items())
        if (!item.is_primitive()) inner[name] = item;
      if (!inner.empty()) add_document(page, inner, depth + 1);
    }
  }
}

/// What Graphviz wrote, without its prologue.
std::string svg_of(const std::string& drawing) {
  const auto begin = drawing.find("<svg");
  return begin == std::string::npos ? "" : drawing.substr(begin);
}

/// The source expression of a Content-Security-Policy that allows a script with this hash: 'sha256-BASE64'.
std::string csp_source(std::string_view hexadecimal) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char digit : hexadecimal) {
    bits = bits << 4 | static_cast<uint32_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    for (count += 4; count >= 6; count -= 6) text += kDigits[bits >> (count - 6) & 63];
  }
  if (count > 0) text += kDigits[bits << (6 - count) & 63];
  while (text.size() % 4 != 0) text += '=';
  return "'sha256-" + text + "'";
}

/// JSON that cannot end its element.
std::string embedded(const Json& documents) {
  std::string text = documents.dump(-1, ' ', false, Json::error_handler_t::replace), result;
  for (const char c : text) {
    if (c == '<')
      result += "\\u003c";
    else
      result += c;
  }
  return result;
}

std::string command_of(const Json& document) {
  if (document.contains("run") && document["run"].contains("command") &&
      document["run"]["command"].is_string())
    return document["run"]["command"].get<std::string>();
  return "run";
}

}  // namespace

std::string html_report(const std::string& title, const std::vector<HtmlRun>& runs) {
  require(!runs.empty(), "report", "A report needs at least one run.");
  Json documents = Json::array();
  for (size_t i = 0; i < runs.size(); ++i) {
    auto document = Json::parse(runs[i].json, nullptr, false);
    require(document.is_object(), "report",
            "Run {}: must be a JSON object, as a command prints it with --json.", i + 1);
    documents.push_back(std::move(document));
  }
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "script-src {} {}\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\"><title>{}</title>\n<style>{}\n{}</style></head>\n<body>\n"
      "<header><h1>{}</h1></header>\n<main><div id=\"plots\"></div><div class=\"runs{}\">\n",
      csp_source(html::plot_script_sha256()), csp_source(html::report_script_sha256()), escape_markup(title),
      html::plot_style(), html::report_style(), escape_markup(title), runs.size() > 1 ? " several" : "");
  for (size_t i = 0; i < runs.size(); ++i) {
    const Json& document = documents[i];
    page += fmt::format("<section class=\"run\" data-run=\"{}\"><h2>{}</h2><div class=\"plots\"></div>\n", i,
                        escape_markup(command_of(document)));
    add_document(page, document, 0);
    if (const auto svg = svg_of(runs[i].drawing); !svg.empty())
      page +=
          "<h3>network</h3><p class=\"faint\">Choose a group in the table: its nodes are marked.</p><div "
          "class=\"drawing\">" +
          svg + "</div>\n";
    if (document.contains("run") && document["run"].is_object()) add_values(page, "run", document["run"]);
    page += "</section>\n";
  }
  auto data = embedded(documents);
  if (data.size() > kMostBytes) {
    for (auto& document : documents)
      if (document.contains("groups") && document["groups"].is_array())
        for (auto& group : document["groups"])
          if (group.is_object()) group.erase("members");
    data = embedded(documents);
  }
  page += fmt::format(
      "</div></main>\n<script type=\"application/json\" "
      "id=\"runs\">{}</script>\n<script>{}</script>\n<script>{}</script>\n</body></html>\n",
      data, html::plot_script(), html::report_script());
  return page;
}

}  // namespace inn
