// Inference of a network as data against the C++ module it was traced from, and of resampled networks against
// modules built at that width.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "contest.h"
#include "inn/model/batch_norm.h"
#include "inn/model/integral_model.h"
#include "inn/zoo/zoo.h"

namespace inn::bench {
namespace {

using Json = nlohmann::ordered_json;

/// torch's number of threads while it lives. One image is too little work for two: waking the second one
/// takes as long as a small network itself.
class ThreadCount {
 public:
  explicit ThreadCount(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~ThreadCount() { at::set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

Json against_module(const std::string& name, const std::string& network, int64_t batch, double width,
                    const ContestOptions& options) {
  const at::NoGradGuard no_grad;
  const ThreadCount threads(batch == 1 ? 1 : at::get_num_threads());
  const auto& entry = find_zoo_network(network);
  const auto images = at::randn({batch, entry.channels, entry.image_size, entry.image_size});
  const auto module = make_zoo_module(network, {.width = width});
  std::vector<Contender> contenders{{"module", [&] { module->forward(images); }}};
  Network data = make_zoo_network(network);
  if (width != 1) {
    auto integral = convert(data, {.order = "none"});
    integral->resize(width);
    data = integral->discretize();
  }
  contenders.push_back({"network", [&] { data.forward(images); }});
  const Network folded = fold_batch_norm(data);
  contenders.push_back({"batch norm folded", [&] { folded.forward(images); }});
  Network last = folded.clone();
  last.to_channels_last();
  contenders.push_back({"folded, channels last", [&] { last.forward(images); }});
  return contest(name, contenders, options);
}

}  // namespace
}  // namespace inn::bench

int main(int argc, char** argv) {
  using namespace inn::bench;
  std::vector<Case> cases;
  for (const auto* network : {"resnet20", "resnet18", "mobilenet_v2"})
    for (const int64_t batch : {1, 64})
      for (const double width : {1.0, 0.5}) {
        const auto name = fmt::format("{}, batch {}, width {}", network, batch, width);
        cases.push_back({name, [=](const std::string& what, const ContestOptions& options) {
                           return against_module(what, network, batch, width, options);
                         }});
      }
  return run_cases("executor", cases, argc, argv);
}
