#include "inn/model/any_model.h"

#include "inn/core/error.h"
#include "inn/network/files.h"

namespace inn {

const AnalysedNetwork& AnyModel::source() const { return is_integral() ? integral->source() : plain; }

Network AnyModel::present() const { return is_integral() ? integral->discretize() : plain.network; }

void AnyModel::to(c10::Device device) {
  if (is_integral()) {
    integral->to(device);
  } else {
    plain.network.to(device);
  }
}

AnyModel open_model(Network network, const RuleTable& rules) {
  AnyModel model;
  if (is_integral(network)) {
    model.integral = load_integral(std::move(network), rules);
  } else {
    model.plain = analyse(std::move(network), rules);
    model.plain.network.set_training(false);
  }
  return model;
}

Network read_network(const std::filesystem::path& path, const std::vector<at::Tensor>& examples,
                     FileBytes bytes) {
  require<std::runtime_error>(std::filesystem::exists(path), "model", "Model '{}': no such file.",
                              path.string());
  if (path.extension() == ".pt2") return read_pt2(path, bytes);
  if (path.extension() == ".onnx") {
    ReadOnnxOptions options;
    for (const auto& example : examples) options.input_sizes.push_back(example.sizes().vec());
    return read_onnx(path, options);
  }
  require(path.extension() == ".pt", "model", "Model '{}': must be a .pt2, an .onnx or a TorchScript .pt.",
          path.string());
  require(!examples.empty(), "model", "Model '{}': a TorchScript file requires an example of each input.",
          path.string());
  return read_torchscript(path, examples);
}

AnyModel read_model(const std::filesystem::path& path, const std::vector<at::Tensor>& examples,
                    const RuleTable& rules) {
  return open_model(read_network(path, examples), rules);
}

}  // namespace inn
