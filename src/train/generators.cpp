#include "generators.h"

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>

namespace inn {

std::map<std::string, at::Generator> torch_generators(c10::Device device) {
  std::map<std::string, at::Generator> generators;
  for (const auto& place : {c10::Device(c10::kCPU), device})
    generators.emplace(place.str(), at::globalContext().defaultGenerator(place));
  return generators;
}

SeededGenerators::SeededGenerators(c10::Device device, uint64_t seed)
    : generators_(torch_generators(device)) {
  for (auto& [name, generator] : generators_) {
    kept_.emplace(name, generator.get_state());
    generator.set_current_seed(seed);
  }
}

SeededGenerators::~SeededGenerators() {
  for (auto& [name, generator] : generators_) generator.set_state(kept_.at(name));
}

}  // namespace inn
