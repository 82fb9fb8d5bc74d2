#include "inn/report/plot.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "child_program.h"
#include "inn/core/atomic_file.h"
#include "inn/core/error.h"

namespace inn {
namespace {

// Okabe and Ito's colours, which the colour-blind can tell apart, the brightest left out.
constexpr std::array<const char*, 7> kColors{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                             "#e69f00", "#56b4e9", "#000000"};
constexpr std::array<int, 7> kMarks{7, 5, 9, 13, 11, 6, 4};  // gnuplot's filled circle, square, triangle, …

/// Returns text as gnuplot's string, each byte but letters, digits and spaces as an octal escape, so that no
/// quote, backquote or backslash is left to be read. A digit behind an escape is escaped too: gnuplot would
/// read it as one more of the escape's. Control characters become spaces.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  bool plain = true;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    const bool after_escape = !plain;
    plain = byte <= ' ' || (byte < 0x80 && std::isalpha(byte) != 0) ||
            (byte < 0x80 && std::isdigit(byte) != 0 && !after_escape);
    result += byte < ' ' ? " " : plain ? std::string(1, character) : fmt::format("\\{:03o}", byte);
  }
  return result + "\"";
}

void check_series(const std::vector<Series>& series, const PlotOptions& options) {
  require(!series.empty(), "report", "plot_lines: expected at least one series.");
  for (const auto& line : series) {
    require(!line.x.empty() && line.x.size() == line.y.size(), "report",
            "plot_lines: series '{}' must have as many x as y, at least one, but has {} and {}.", line.name,
            line.x.size(), line.y.size());
    for (size_t i = 0; i < line.x.size(); ++i) {
      require(std::isfinite(line.x[i]) && std::isfinite(line.y[i]), "report",
              "plot_lines: series '{}' has the point ({}, {}), which is not finite.", line.name, line.x[i],
              line.y[i]);
      require(options.x_scale == PlotOptions::Scale::linear || line.x[i] > 0, "report",
              "plot_lines: series '{}': on a logarithmic scale x must be positive but one is {}.", line.name,
              line.x[i]);
    }
  }
}

std::string terminal(const std::filesystem::path& path, const PlotOptions& options) {
  const std::string extension = path.extension().string();
  require(extension == ".svg" || extension == ".png", "report",
          "plot_lines: the file must end in .svg or .png but is '{}'.", path.string());
  for (const int64_t side : {options.width, options.height}) {
    require(side >= 100 && side <= 10'000, "report",
            "plot_lines: width and height must be in [100, 10000] but one is {}.", side);
  }
  // Enhanced text would read _ ^ { } @ as markup.
  return fmt::format("set terminal {} noenhanced size {},{} font 'sans,13' background rgb 'white'\n",
                     extension == ".svg" ? "svg" : "pngcairo", options.width, options.height);
}

/// Returns the settings of a logarithmic x axis: a margin on both sides, and where it spans less than three
/// decades marks at 1, 2 and 5 times the powers of ten, since gnuplot marks the powers only.
std::string logarithmic_axis(double least, double most) {
  const double margin = std::max(std::pow(most / least, 0.04), 1.05), first = least / margin,
               last = most * margin;
  std::string script = fmt::format("set logscale x\nset xrange [{}:{}]\n", first, last);
  constexpr double kThreeDecades = 1000;
  if (last / first >= kThreeDecades) return script;
  std::string marks;
  for (double power = std::pow(10, std::floor(std::log10(first))); power <= last; power *= 10) {
    for (const double mark : {power, 2 * power, 5 * power}) {
      if (mark >= first && mark <= last) marks += fmt::format("{}{}", marks.empty() ? "" : ", ", mark);
    }
  }
  return marks.empty() ? script : script + "set xtics (" + marks + ")\n";
}

std::string x_axis(const std::vector<Series>& series, const PlotOptions& options) {
  double least = series[0].x[0], most = least;
  for (const auto& line : series) {
    const auto [low, high] = std::minmax_element(line.x.begin(), line.x.end());
    least = std::min(least, *low);
    most = std::max(most, *high);
  }
  constexpr double kLargestPlain = 10'000;  // from here on marks read "20 k"
  std::string script = std::max(-least, most) >= kLargestPlain ? "set format x '%.0s %c'\n" : "";
  if (options.x_scale == PlotOptions::Scale::logarithmic) script += logarithmic_axis(least, most);
  return script;
}

std::string script_of(const std::filesystem::path& path, const std::vector<Series>& series,
                      const PlotOptions& options) {
  std::string script = "set encoding utf8\n" + terminal(path, options);
  for (size_t i = 0; i < series.size(); ++i) {
    script += fmt::format("$series{} << END\n", i);
    for (size_t k = 0; k < series[i].x.size(); ++k)
      script += fmt::format("{} {}\n", series[i].x[k], series[i].y[k]);
    script += "END\n";
  }
  script +=
      "set border 3 linecolor rgb '#444444'\n"
      "set tics nomirror textcolor rgb '#222222'\n"
      "set grid linetype 1 linecolor rgb '#e4e4e4' linewidth 1\n"
      "set key below center Left reverse maxcols 3 samplen 3 spacing 1.3\n"
      "set offsets graph 0.03, graph 0.03, graph 0.05, graph 0.05\n";
  script += x_axis(series, options);
  if (!options.title.empty()) script += "set title " + quoted(options.title) + "\n";
  if (!options.x_title.empty()) script += "set xlabel " + quoted(options.x_title) + "\n";
  if (!options.y_title.empty()) script += "set ylabel " + quoted(options.y_title) + "\n";
  script += "plot ";
  for (size_t i = 0; i < series.size(); ++i) {
    script += fmt::format(
        "{}$series{} using 1:2 with linespoints linewidth 2.2 pointsize 0.9 pointtype {} dashtype {} "
        "linecolor rgb '{}' title {}",
        i > 0 ? ", " : "", i, kMarks.at(i % kMarks.size()), 1 + i / kColors.size() % 4,
        kColors.at(i % kColors.size()), quoted(series[i].name));
  }
  return script + "\n";
}

}  // namespace

void plot_lines(const std::filesystem::path& path, const std::vector<Series>& series,
                const PlotOptions& options) {
  check_series(series, options);
  const ChildProgram gnuplot{
      .arguments = {"gnuplot", "--default-settings"}, .purpose = "A plot", .package = "gnuplot-nox"};
  write_atomically(path, run_child(gnuplot, script_of(path, series, options)));
}

}  // namespace inn
