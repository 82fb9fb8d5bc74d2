#include "bind.h"
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
}

}  // namespace inn::python
