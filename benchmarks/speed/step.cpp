// A training step of an integral model against that of the plain network in C++ torch.

#include <ATen/ATen.h>
#include <torch/optim/sgd.h>

#include <algorithm>

#include "contest.h"
#include "inn/model/integral_model.h"
#include "inn/zoo/zoo.h"

namespace inn::bench {
namespace {

using Json = nlohmann::ordered_json;

const std::vector<double> kWidths{1.0, 0.75, 0.5, 0.25};

struct Task {
  std::string network;
  int64_t batch;
  std::vector<std::string> groups;  // none: all
  bool random_widths;
};

at::Tensor images_of(const Task& task) {
  const auto& entry = find_zoo_network(task.network);
  return at::randn({task.batch, entry.channels, entry.image_size, entry.image_size});
}

at::Tensor labels_of(const Task& task) {
  return at::randint(find_zoo_network(task.network).classes, {task.batch}, at::kLong);
}

/// A module with its optimizer: one call is one step.
template <class Module>
class Stepper {
 public:
  explicit Stepper(std::shared_ptr<Module> module)
      : module_(std::move(module)),
        optimizer_(module_->parameters(), torch::optim::SGDOptions(1e-3).momentum(0.9)) {
    module_->train();
  }
  void operator()(const at::Tensor& images, const at::Tensor& labels) {
    optimizer_.zero_grad();
    at::cross_entropy_loss(module_->forward(images), labels).backward();
    optimizer_.step();
  }
  Module& module() { return *module_; }

 private:
  std::shared_ptr<Module> module_;
  torch::optim::SGD optimizer_;
};

std::shared_ptr<IntegralModelImpl> integral_of(const Task& task) {
  return convert(make_zoo_network(task.network), {.groups = task.groups, .order = "none"}).ptr();
}

bool is_convolutional(const IntegralModelImpl& model) {
  const auto parameters = model.parameters();
  return std::any_of(parameters.begin(), parameters.end(),
                     [](const at::Tensor& tensor) { return tensor.dim() == 4; });
}

Json measured(const Task& task, const std::string& name, const ContestOptions& options) {
  const auto images = images_of(task), labels = labels_of(task);
  const auto widths = task.random_widths ? kWidths : std::vector<double>{1.0};
  std::vector<Stepper<ZooModule>> plain;
  for (const double width : widths) plain.emplace_back(make_zoo_module(task.network, {.width = width}));
  const auto steps_of = [&](Stepper<IntegralModelImpl>& integral) {
    return [&, integral = &integral] {
      for (const double width : widths) {
        integral->module().resize(width);
        (*integral)(images, labels);
      }
    };
  };
  Stepper<IntegralModelImpl> integral(integral_of(task)), laid_out(integral_of(task));
  std::vector<Contender> contenders{{"plain",
                                     [&] {
                                       for (auto& step : plain) step(images, labels);
                                     }},
                                    {"integral", steps_of(integral)}};
  if (is_convolutional(laid_out.module())) {
    laid_out.module().to_channels_last();
    contenders.push_back({"integral, channels last", steps_of(laid_out)});
  }
  Json result = contest(name, contenders, options);
  // Where widths change: of the largest peak to that of the plain network at full width.
  const auto peak = [&](const std::function<void()>& run) { return static_cast<double>(peak_bytes(run)); };
  const double of_plain = peak([&] { plain.front()(images, labels); });
  for (size_t c = 0; c < contenders.size(); ++c)
    result["contenders"][c]["peak_memory_ratio"] = c == 0 ? 1 : peak(contenders[c].run) / of_plain;
  return result;
}

}  // namespace
}  // namespace inn::bench

int main(int argc, char** argv) {
  using namespace inn::bench;
  const std::vector<std::pair<std::string, Task>> tasks{
      {"mlp, batch 128, full width", {"mlp", 128, {}, false}},
      {"mlp, batch 128, widths 1 to 0.25", {"mlp", 128, {}, true}},
      {"resnet20, batch 128, full width", {"resnet20", 128, {}, false}},
      {"resnet20, batch 128, widths 1 to 0.25", {"resnet20", 128, {}, true}},
      {"vit, batch 32, full width", {"vit", 32, {}, false}},
      {"vit, batch 32, widths 1 to 0.25", {"vit", 32, {"patches", "*.fc1", "*.qkv:0"}, true}},
      {"resnet18 layer4, batch 8, full width", {"resnet18", 8, {"layer4.*"}, false}},
      {"resnet18, batch 8, full width", {"resnet18", 8, {}, false}},
      {"resnet18, batch 8, widths 1 to 0.25", {"resnet18", 8, {}, true}},
  };
  std::vector<Case> cases;
  for (const auto& [name, task] : tasks)
    cases.push_back({name, [task = task](const std::string& what, const ContestOptions& options) {
                       return measured(task, what, options);
                     }});
  return run_cases("step", cases, argc, argv);
}
