#pragma once
// Plots, drawn by gnuplot.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace inn {

/// One line of a plot, with a mark at each point.
struct Series {
  std::string name;
  std::vector<double> x, y;
};

struct PlotOptions {
  std::string title = {};
  std::string x_title = {};
  std::string y_title = {};
  enum class Scale { linear, logarithmic } x_scale = Scale::linear;
  int64_t width = 900;  // in pixels
  int64_t height = 600;
};

/// Draws one line for each series, with a legend, and writes the plot to `path`, which ends in .svg or .png.
///
/// Text is shown literally: nothing in it is interpreted as a command or as markup. The file is written
/// atomically. Throws std::invalid_argument if there is no series, if x and y differ in length or are empty,
/// if a value is not finite, if an x is not positive on a logarithmic scale, if the size is not in [100,
/// 10000], or for other file extensions; std::runtime_error if gnuplot is missing (Debian: gnuplot-nox) or
/// fails, or if the file cannot be written.
void plot_lines(const std::filesystem::path& path, const std::vector<Series>& series,
                const PlotOptions& options);

}  // namespace inn
