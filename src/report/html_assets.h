#pragma once
// Scripts and styles of the HTML report, from the files in html/.

#include <string_view>

namespace inn::html {

std::string_view plot_script();    // uPlot
std::string_view plot_style();     // uPlot's
std::string_view report_script();  // report.js
std::string_view report_style();   // report.css

/// Their SHA-256 in hexadecimal.
std::string_view plot_script_sha256();
std::string_view report_script_sha256();

}  // namespace inn::html
