#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "commands/command.h"
#include "inn/cost/cost.h"
#include "inn/cost/latency.h"
#include "inn/report/table.h"
#include "options/limits.h"
#include "options/run_context.h"

namespace inn::cli {
namespace {

struct CostArguments {
  RunContext context;
  int64_t repetitions = 0;
  int64_t batch = 1;
};

std::string sizes_text(const std::vector<int64_t>& sizes) {
  std::string text;
  for (const auto size : sizes) text += (text.empty() ? "" : "×") + std::to_string(size);
  return text;
}

Json cost_json(const CostReport& cost, const std::optional<Latency>& latency, const CostArguments& options) {
  Json layers = Json::array();
  for (const auto& layer : cost.layers)
    layers.push_back({{"name", layer.name},
                      {"type", layer.type},
                      {"parameters", layer.parameters},
                      {"macs", layer.macs},
                      {"output_sizes", layer.output_sizes}});
  Json document{{"parameters", cost.parameters},
                {"macs", cost.macs},
                {"peak_memory", cost.peak_memory.bytes},
                {"peak_call", cost.peak_memory.call},
                {"layers", std::move(layers)}};
  if (latency)
    document["latency"] = {{"median", latency->median}, {"p10", latency->p10},
                           {"p90", latency->p90},       {"repetitions", options.repetitions},
                           {"batch", options.batch},    {"threads", at::get_num_threads()}};
  return document;
}

void print_table(const CostReport& cost, const std::optional<Latency>& latency,
                 const CostArguments& options) {
  Table table({"layer", "type", "parameters", "multiply-adds", "output"});
  for (const auto& layer : cost.layers)
    table.add_row({layer.name, layer.type, std::to_string(layer.parameters), std::to_string(layer.macs),
                   sizes_text(layer.output_sizes)});
  table.add_row({"all", "", std::to_string(cost.parameters), std::to_string(cost.macs), ""});
  std::cout << table;
  const auto [bytes, call] = cost.peak_memory;
  std::cout << fmt::format("Peak memory of activations: {}{}B, in {}.\n", format_count(bytes),
                           bytes < 1000 ? " " : "", call.empty() ? "the inputs" : call);
  if (latency)
    std::cout << fmt::format(
        "Latency at batch {} with {} threads: median {:.3f} ms, p10 {:.3f} ms, p90 {:.3f} ms ({} runs).\n",
        options.batch, at::get_num_threads(), 1e3 * latency->median, 1e3 * latency->p10, 1e3 * latency->p90,
        options.repetitions);
}

int run(const CostArguments& options) {
  const auto device = options.context.start();
  AnyModel model = options.context.open();
  model.to(device);
  const Network network = model.present();
  const CostReport cost = cost_of(network);
  std::optional<Latency> latency;
  if (options.repetitions > 0)
    latency = measure_latency(network, example_inputs(network, options.batch),
                              {.repetitions = options.repetitions});
  show(options.context.general, cost_json(cost, latency, options),
       [&] { print_table(cost, latency, options); });
  return 0;
}

}  // namespace

Command cost_command() {
  return {.name = "cost",
          .summary = "Parameters, multiply-adds and memory for one input, per layer and in total; latency",
          .examples =
              "  inn cost zoo:resnet18\n"
              "  inn cost half.pt2 --latency 50 --batch 8 --threads 1 --json",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<CostArguments>();
            options->context.add_model(app);
            app.add_option("--latency", options->repetitions, "Measure the latency with N runs")
                ->type_name("N")
                ->check(at_least(1));
            app.add_option("--batch", options->batch, "Batch size for the latency")
                ->type_name("N")
                ->check(at_least(1))
                ->capture_default_str();
            options->context.add_options(app, {.device = true, .html = true});
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
