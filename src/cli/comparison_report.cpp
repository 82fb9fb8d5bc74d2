#include "comparison_report.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <set>

#include "inn/report/plot.h"
#include "inn/report/table.h"

namespace inn::cli {
namespace {

constexpr const char* kMissing = "—";
constexpr double kMillion = 1e6;

std::set<int64_t> samples_of(const Comparison& comparison) {
  std::set<int64_t> samples;
  for (const auto& line : comparison.variants) samples.insert(line.variant.samples);
  return samples;
}

std::string samples_text(int64_t samples) {
  return samples == 0 ? "all samples" : fmt::format("{} samples", samples);
}

std::string row_name(const Comparison& comparison, const Variant& variant) {
  const std::string name = label_of(variant);
  return samples_of(comparison).size() > 1 ? name + ", " + samples_text(variant.samples) : name;
}

double seconds_of(const ComparedVariant& line) {
  double seconds = line.curve_seconds;
  for (const auto& network : line.networks) seconds += network.seconds;
  return seconds;
}

void print_source(const Comparison& comparison) {
  const auto& source = comparison.source;
  const std::string macs = format_count(static_cast<int64_t>(comparison.source_macs));
  if (comparison.labelled)
    std::cout << fmt::format("Source: accuracy {} on {} samples, loss {:.4f}, {} multiply-adds.\n",
                             format_percent(source.rate), source.count, source.loss, macs);
  else
    std::cout << fmt::format(
        "The data has no labels: agreement is the fraction of {} outputs with the same argmax as the source; "
        "{} multiply-adds.\n",
        source.count, macs);
}

/// One line for each reason and network that is missing because of it; for all of a variant at once where
/// they have one reason.
void print_failures(const Comparison& comparison) {
  for (const auto& line : comparison.variants) {
    const auto& first = line.networks.front().failure;
    const bool one = std::all_of(line.networks.begin(), line.networks.end(),
                                 [&](const auto& network) { return network.failure == first; });
    const std::string name = row_name(comparison, line.variant);
    for (size_t k = 0; k < line.networks.size(); ++k) {
      const auto& network = line.networks[k];
      if (network.failure.empty() || network.interrupted || (one && k > 0)) continue;
      const std::string where = one ? name : fmt::format("{}, keep {:g}", name, comparison.keep[k]);
      std::cout << fmt::format("{}: {}\n", where, network.failure);
    }
  }
}

Json quality_json(const Quality& quality, bool labelled) {
  return {{labelled ? "accuracy" : "agreement", quality.rate},
          {labelled ? "correct" : "agreeing", quality.hits},
          {"count", quality.count},
          {labelled ? "loss" : "error", quality.loss}};
}

Json network_json(const ComparedVariant& line, double keep, const Compared& network, bool labelled) {
  Json record{{"method", line.variant.method},
              {"refit", line.variant.refit},
              {"widths", line.variant.chosen ? "chosen" : "uniform"},
              {"samples", line.variant.samples},
              {"keep", keep}};
  if (!network.failure.empty()) {
    record["failure"] = network.failure;
    return record;
  }
  record.update(quality_json(network.quality, labelled));
  record.update({{"macs", network.macs}, {"parameters", network.parameters}, {"seconds", network.seconds}});
  if (line.variant.chosen) {
    record["curve_seconds"] = line.curve_seconds;
    record["group_widths"] = network.widths;
  }
  return record;
}

/// One series a variant: from the source to what is left of it, by multiply-adds.
std::vector<Series> by_cost(const Comparison& comparison) {
  std::vector<Series> series;
  for (const auto& line : comparison.variants) {
    std::map<double, double> points{{comparison.source_macs / kMillion, 100 * comparison.source.rate}};
    bool made = false;
    for (const auto& network : line.networks) {
      if (!network.failure.empty()) continue;
      points.emplace(network.macs / kMillion, 100 * network.quality.rate);
      made = true;
    }
    if (!made) continue;
    Series& drawn = series.emplace_back(Series{label_of(line.variant), {}, {}});
    for (const auto& [x, y] : points) {
      drawn.x.push_back(x);
      drawn.y.push_back(y);
    }
  }
  return series;
}

/// One series for each way of making a network and each fraction, its points by samples.
std::vector<Series> by_samples(const Comparison& comparison) {
  std::vector<Series> series;
  for (const auto& line : comparison.variants)
    for (size_t k = 0; k < comparison.keep.size(); ++k) {
      if (!line.networks[k].failure.empty() || line.variant.samples == 0) continue;
      const auto name = fmt::format("{}, keep {:g}", label_of(line.variant), comparison.keep[k]);
      auto found =
          std::find_if(series.begin(), series.end(), [&](const auto& drawn) { return drawn.name == name; });
      if (found == series.end()) found = series.insert(found, {name, {}, {}});
      found->x.push_back(static_cast<double>(line.variant.samples));
      found->y.push_back(100 * line.networks[k].quality.rate);
    }
  return series;
}

}  // namespace

void print_comparison(const Comparison& comparison) {
  print_source(comparison);
  std::vector<std::string> header{"method"}, macs{"multiply-adds"};
  for (size_t k = 0; k < comparison.keep.size(); ++k) {
    header.insert(header.end(), {fmt::format("keep {:g}", comparison.keep[k]), "lost"});
    macs.insert(macs.end(), {format_count(static_cast<int64_t>(comparison.uniform_macs[k])), ""});
  }
  header.emplace_back("seconds");
  macs.emplace_back("");
  Table table(header);
  table.add_row(macs);
  for (const auto& line : comparison.variants) {
    std::vector<std::string> cells{row_name(comparison, line.variant)};
    for (const auto& network : line.networks) {
      const bool made = network.failure.empty();
      cells.push_back(made ? format_percent(network.quality.rate) : kMissing);
      cells.push_back(made ? fmt::format("{:.2f}", 100 * (comparison.source.rate - network.quality.rate))
                           : kMissing);
    }
    cells.push_back(fmt::format("{:.1f}", seconds_of(line)));
    table.add_row(cells);
  }
  std::cout << table;
  print_failures(comparison);
}

Json comparison_json(const Comparison& comparison) {
  Json source = quality_json(comparison.source, comparison.labelled);
  source.update({{"macs", comparison.source_macs}, {"parameters", comparison.source_parameters}});
  Json results = Json::array();
  for (const auto& line : comparison.variants)
    for (size_t k = 0; k < line.networks.size(); ++k)
      results.push_back(network_json(line, comparison.keep[k], line.networks[k], comparison.labelled));
  return {{"source", std::move(source)}, {"results", std::move(results)}};
}

void plot_comparison(const Comparison& comparison, const std::string& title,
                     const std::filesystem::path& file) {
  const bool several = samples_of(comparison).size() > 1;
  const auto series = several ? by_samples(comparison) : by_cost(comparison);
  if (series.empty()) return;
  plot_lines(file, series,
             {.title = title,
              .x_title = several ? "samples" : "multiply-adds per input (millions)",
              .y_title = comparison.labelled ? "accuracy (%)" : "agreement with the source (%)",
              .x_scale = several ? PlotOptions::Scale::logarithmic : PlotOptions::Scale::linear});
}

}  // namespace inn::cli
