#include "options/model_source.h"

#include <ATen/ATen.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <filesystem>

#include "inn/core/error.h"
#include "inn/network/dynamic_batch.h"
#include "inn/zoo/trained.h"
#include "inn/zoo/zoo.h"
#include "options/usage_error.h"

namespace inn::cli {
namespace {

constexpr std::string_view kZoo = "zoo:";

/// "1,3,32,32" as an example input of zeros; "scalar": one without axes.
at::Tensor example_of(const std::string& text) {
  if (text == "scalar") return at::zeros({});
  std::vector<int64_t> sizes;
  for (const char* at = text.data(); at <= text.data() + text.size(); ++at) {
    int64_t size = 0;
    const auto [end, error] = std::from_chars(at, text.data() + text.size(), size);
    require<UsageError>(error == std::errc() && size >= 1 && (*end == ',' || *end == '\0'), "cli",
                        "--input-size '{}': must be positive integers, e.g. 1,3,224,224, or scalar.", text);
    sizes.push_back(size);
    at = end;
  }
  return at::zeros(sizes);
}

/// Makes NAME, or NAME:WIDTH, whose hidden widths are WIDTH times those of NAME.
Network make_zoo(const std::string& text, uint64_t seed, const Dataset* images) {
  ZooOptions options{.seed = seed};
  const auto name = text.substr(0, text.find(':'));
  if (name.size() < text.size()) {
    const char *begin = text.data() + name.size() + 1, *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(begin, end, options.width);
    require<UsageError>(error == std::errc() && stop == end, "cli",
                        "Model 'zoo:{}': must be zoo:NAME or zoo:NAME:WIDTH, e.g. zoo:resnet20:0.5.", text);
  }
  if (images != nullptr) {
    require(images->holds_images(), "cli", "Data '{}': zoo networks take images, but it contains {}.",
            images->source, c10::toString(images->inputs.scalar_type()));
    const auto sizes = images->sizes();
    options.channels = sizes[1];
    options.image_size = sizes[2];  // 0, of files whose size is open: the network's own
    require(sizes[2] == sizes[3], "cli", "Data '{}': zoo networks take square images but got {}×{}.",
            images->source, sizes[2], sizes[3]);
    options.classes = static_cast<int64_t>(images->class_names.size());
  }
  return make_zoo_network(name, options);
}

}  // namespace

void add_model_options(CLI::App& app, ModelOptions& options) {
  app.add_option("MODEL", options.source,
                 "A .pt2 file, an .onnx file, a TorchScript .pt file, zoo:NAME, zoo:NAME:WIDTH, or a trained "
                 "zoo:NAME@DATA")
      ->required();
  app.add_option("--input-size", options.input_sizes,
                 "Input shape of a TorchScript file, or of an ONNX file of open sizes, e.g. 1,3,224,224; "
                 "once per input")
      ->type_name("SIZES");
}

void add_dynamic_batch_option(CLI::App& app, bool& dynamic_batch) {
  app.add_flag("--dynamic-batch", dynamic_batch, "Make the batch size dynamic if it was exported as static");
}

Network read_network(const ModelOptions& options, uint64_t seed, const Dataset* images) {
  std::vector<at::Tensor> examples;
  for (const auto& text : options.input_sizes) examples.push_back(example_of(text));
  if (options.source.starts_with(kZoo)) {
    const std::string name = options.source.substr(kZoo.size());
    if (name.find('@') != std::string::npos) return read_trained(name);
    return with_dynamic_batch(make_zoo(name, seed, images));
  }

  const std::filesystem::path path(options.source);
  require<std::runtime_error>(std::filesystem::exists(path), "cli", "Model '{}': no such file.",
                              options.source);
  require<UsageError>(path.extension() != ".pt" || !examples.empty(), "cli",
                      "Model '{}': a TorchScript file requires --input-size, e.g. 1,3,224,224.",
                      options.source);
  require(path.extension() == ".pt" || path.extension() == ".pt2" || path.extension() == ".onnx", "cli",
          "Model '{}': must be a .pt2, an .onnx, a TorchScript .pt, zoo:NAME or zoo:NAME@DATA.",
          options.source);
  Network network = inn::read_network(path, examples, FileBytes::mapped);
  return options.dynamic_batch && !is_integral(network)
             ? with_dynamic_batch(analyse_as_written(std::move(network)).network)
             : network;
}

AnyModel read_model(const ModelOptions& options, uint64_t seed) {
  return open_model(read_network(options, seed));
}

}  // namespace inn::cli
