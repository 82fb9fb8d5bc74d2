#include "bind.h"
#include "inn/core/atomic_file.h"
#include "inn/report/html_report.h"
#include "inn/zoo/trained.h"

namespace inn::python {

void bind_report(nb::module_& m) {
  m.def(
      "html_report",
      [](const std::string& title, const std::vector<std::pair<std::string, std::string>>& given) {
        std::vector<HtmlRun> runs;
        for (const auto& [json, drawing] : given) runs.push_back({json, drawing});
        return html_report(title, runs);
      },
      nb::arg("title"), nb::arg("runs"),
      "Returns a page of runs: of each its JSON document and an SVG drawing or nothing.");
  m.def(
      "trained_cards",
      [] {
        std::vector<std::string> cards;
        for (const auto& model : trained_zoo()) cards.emplace_back(model.card);
        return cards;
      },
      "Returns the JSON card of each trained model that comes with the library.");
  m.def(
      "write_text",
      [](const std::filesystem::path& path, const std::string& text) { write_atomically(path, text); },
      nb::arg("path"), nb::arg("text"), "Writes a file: it has either its old or its complete new content.");
}

}  // namespace inn::python
