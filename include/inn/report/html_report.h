#pragma once
// A page to look at, of what commands did.

#include <string>
#include <vector>

namespace inn {

struct HtmlRun {
  /// The command's JSON document (an object).
  std::string json;
  /// The network with its groups as SVG, or nothing.
  std::string drawing = {};
};

/// Returns one HTML page that shows runs beside each other: every number of their documents in tables, and plots of accuracy, loss or
/// agreement against multiply-adds, parameters, latency, error curves, training.
///
/// The page holds all that it needs and requests nothing; its Content-Security-Policy allows its own two scripts alone. Without
/// scripts the tables remain. Names and texts are shown literally. Throws std::invalid_argument if a document is no JSON object,
/// naming it by its place.
std::string html_report(const std::string& title, const std::vector<HtmlRun>& runs);

}  // namespace inn
