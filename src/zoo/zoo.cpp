#include "inn/zoo/zoo.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <deque>

#include "inn/core/error.h"
#include "inn/core/named_table.h"
#include "inn/network/files.h"
#include "networks.h"

namespace inn {
namespace {

/// Not 1, so that the batch axis is not mistaken for a broadcast axis, and prime, so that it equals no
/// width.
constexpr int64_t kExampleBatch = 3;

GrowingTable<ZooEntry>& table() {
  using namespace zoo_networks;
  static GrowingTable<ZooEntry> entries{mlp(),           lenet(),         small_cnn(),     nin(),
                                        cifar_resnet(3), cifar_resnet(5), cifar_resnet(7), cifar_resnet(9),
                                        resnet18(),      resnet50(),      mobilenet_v2(),  vit()};
  return entries;
}

/// Seeds torch's generator during its lifetime.
class SeededGenerator {
 public:
  explicit SeededGenerator(uint64_t seed) : generator_(at::detail::getDefaultCPUGenerator()) {
    kept_ = generator_.get_state();
    generator_.set_current_seed(seed);
  }
  ~SeededGenerator() { generator_.set_state(kept_); }
  SeededGenerator(const SeededGenerator&) = delete;
  SeededGenerator& operator=(const SeededGenerator&) = delete;

 private:
  at::Generator generator_;
  at::Tensor kept_;
};

std::string where(const ZooEntry& entry) { return "Network '" + entry.name + "'"; }

}  // namespace

const GrowingTable<ZooEntry>& zoo() { return table(); }

void register_zoo_network(ZooEntry entry) {
  for (const auto& known : table())
    require(known.name != entry.name, "zoo", "{}: the name is already in use.", where(entry));
  table().push_back(std::move(entry));
}

const ZooEntry& find_zoo_network(const std::string& name) {
  return find_named(table(), name, "zoo", "No network is named '{}'.{}");
}

ZooOptions complete(const ZooEntry& entry, const ZooOptions& options) {
  ZooOptions full = options;
  const auto fill = [&](const char* option, int64_t& value, int64_t own) {
    require(value >= 0, "zoo", "{}: {} must be at least 1, or 0 for {}, but got {}.", where(entry), option,
            own, value);
    if (value == 0) value = own;
  };
  fill("classes", full.classes, entry.classes);
  fill("channels", full.channels, entry.channels);
  fill("image_size", full.image_size, entry.image_size);
  require(std::isfinite(full.width) && full.width > 0, "zoo",
          "{}: width must be finite and positive but got {}.", where(entry), full.width);
  require(full.hidden.empty() || entry.name == "mlp", "zoo", "{}: hidden widths are an option of 'mlp' only.",
          where(entry));
  for (const int64_t width : full.hidden)
    require(width >= 1, "zoo", "{}: hidden widths must be at least 1 but got {}.", where(entry), width);
  return full;
}

std::shared_ptr<ZooModule> make_zoo_module(const std::string& name, const ZooOptions& options) {
  const ZooEntry& entry = find_zoo_network(name);
  const ZooOptions full = complete(entry, options);
  const SeededGenerator seeded(full.seed);
  auto module = entry.make(full);
  module->eval();
  return module;
}

Network make_zoo_network(const std::string& name, const ZooOptions& options) {
  const auto module = make_zoo_module(name, options);
  const ZooOptions full = complete(find_zoo_network(name), options);
  const auto example = at::zeros({kExampleBatch, full.channels, full.image_size, full.image_size});
  return trace(
      *module, [&](const at::Tensor& images) { return module->forward(images); }, example);
}

namespace zoo_networks {

int64_t scaled(const ZooOptions& options, int64_t n) {
  return std::max<int64_t>(1, std::llround(options.width * static_cast<double>(n)));
}

}  // namespace zoo_networks
}  // namespace inn
