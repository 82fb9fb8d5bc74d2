#include "bind.h"
#include "inn/core/atomic_file.h"
#include "inn/report/html_report.h"

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
      "write_text",
      [](const std::filesystem::path& path, const std::string& text) { write_atomically(path, text); },
      nb::arg("path"), nb::arg("text"), "Writes a file: it has either its old or its complete new content.");
}

}  // namespace inn::python
