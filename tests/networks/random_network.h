#pragma once
// Networks drawn at random from the operators, to prove the laws of tied axes on.

#include <cstdint>
#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn::test {

/// One step of a random network: what it does, and the numbers by which it chooses sizes and partners. A step
/// that does not fit the tensor it meets leaves it as it is, so that any list of steps is a network.
struct RandomStep {
  size_t kind;
  uint64_t choice;
};

/// The names of the kinds of steps.
const std::vector<std::string>& random_step_kinds();

/// Returns `count` steps, a function of the seed.
std::vector<RandomStep> random_steps(uint64_t seed, size_t count);

/// Returns the network of these steps on images [batch, 3, 8, 8], with five outputs an image, and parameters
/// drawn by the seed.
Network random_network(const std::vector<RandomStep>& steps, uint64_t seed, int64_t batch = 2);

/// "conv, relu, attention": for messages.
std::string describe(const std::vector<RandomStep>& steps);

}  // namespace inn::test
