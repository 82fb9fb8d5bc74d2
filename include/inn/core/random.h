#pragma once
// Random numbers that do not depend on the machine or the version of torch.

#include <cstdint>
#include <vector>

namespace inn {

/// A generator of 64 bits of state: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014). Fast and small; not for cryptography. Streams of different keys are independent
/// for all purposes here.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(mix(seed)) {}
  /// The stream of a seed for `key`, such as an epoch or a batch: Random(seed).at(epoch).at(batch).
  Random at(uint64_t key) const { return Random(state_ ^ mix(key + kStep)); }

  uint64_t next() { return mix(state_ += kStep); }
  /// Returns a number in [0, count), each with the same probability (Lemire, ACM TOMACS 2019). count ≥ 1.
  uint32_t below(uint32_t count) {
    uint64_t product = (next() >> 32) * count;
    auto low = static_cast<uint32_t>(product);
    if (low < count) {
      const uint32_t threshold = -count % count;
      while (low < threshold) {
        product = (next() >> 32) * count;
        low = static_cast<uint32_t>(product);
      }
    }
    return static_cast<uint32_t>(product >> 32);
  }
  /// Returns a number in [0, 1), a multiple of 2⁻⁵³.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15;
  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  uint64_t state_;
};

/// Returns 0 … count−1 in an order that `random` draws.
std::vector<int64_t> shuffled(int64_t count, Random random);

}  // namespace inn
