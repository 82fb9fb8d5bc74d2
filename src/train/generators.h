#pragma once
// torch's random generators, which dropout uses.

#include <ATen/core/Generator.h>
#include <c10/core/Device.h>

#include <map>
#include <string>
#include <vector>

namespace inn {

/// Returns torch's generators of the CPU and of `device`, by the name of the device.
std::map<std::string, at::Generator> torch_generators(c10::Device device);

/// RAII: torch's generators use the given seed; their state is restored afterwards.
class SeededGenerators {
 public:
  SeededGenerators(c10::Device device, uint64_t seed);
  ~SeededGenerators();
  SeededGenerators(const SeededGenerators&) = delete;
  SeededGenerators& operator=(const SeededGenerators&) = delete;

 private:
  std::map<std::string, at::Generator> generators_;
  std::map<std::string, at::Tensor> kept_;
};

}  // namespace inn
