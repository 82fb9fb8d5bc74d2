// The laws of tied axes on networks drawn at random.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "inn/dimension/listed_axes.h"
#include "inn/network/files.h"
#include "inn/resampling/equal_channels.h"
#include "inn/resampling/maps.h"
#include "inn/resampling/verify.h"
#include "networks/random_network.h"
#include "resampling/hand_over.h"
#include "temporary_folder.h"

namespace inn {
namespace {

using test::RandomStep;

/// So many for each law; INN_RANDOM_NETWORKS asks for more.
uint64_t network_count() {
  const char* asked = std::getenv("INN_RANDOM_NETWORKS");
  return asked != nullptr ? std::stoul(asked) : 80;
}
constexpr size_t kSteps = 9;
/// float32 kernels split batches of another size otherwise.
constexpr double kBatchTolerance = 1e-4;

double relative(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() / std::max(b.abs().max().item<double>(), 1e-30);
}

std::string permutation_and_widths(const std::vector<RandomStep>& steps, uint64_t seed) {
  const auto source = analyse(test::random_network(steps, seed));
  if (!source.groups.unknown_operators.empty())
    return "no rule for " + source.groups.unknown_operators.begin()->first;
  for (const auto& verification : verify_groups(source, {.seed = seed}))
    if (!verification.ok()) return verification.name + ": " + verification.failure;
  return "";
}

std::string equal_channels(const std::vector<RandomStep>& steps, uint64_t seed) {
  const auto source = analyse(test::random_network(steps, seed));
  for (const auto& verification : verify_equal_channels(source, {.seed = seed}))
    if (!verification.ok()) return verification.name + ": " + verification.failure;
  return "";
}

/// All groups at half, written and read again.
std::string round_trip(const std::vector<RandomStep>& steps, uint64_t seed) {
  const auto source = analyse(test::random_network(steps, seed));
  std::map<GroupId, GroupMaps> maps;
  for (const auto id : source.groups.select({})) {
    const int64_t width = source.groups.groups[id].width;
    maps.emplace(id, first_channels(width, std::max<int64_t>(1, width / 2)));
  }
  const auto half = resample(source, maps);
  const auto inputs = random_inputs(half, seed);
  const TemporaryFolder folder;
  const auto path = folder / "network.pt2";
  write_pt2(half, path);
  const auto read = read_pt2(path);
  if (!at::equal(read.forward(inputs).at(0).toTensor(), half.forward(inputs).at(0).toTensor()))
    return "the outputs differ after writing and reading";
  // What a network of these widths is, must be found of it alone.
  const auto again = analyse(read);
  const auto& groups = source.groups.groups;  // a group of one channel is none
  const auto several =
      std::count_if(groups.begin(), groups.end(), [](const Group& g) { return g.width >= 4; });
  if (static_cast<int64_t>(again.groups.groups.size()) < several) return "its groups are gone";
  for (const auto& verification : verify_groups(again, {.seed = seed}))
    if (!verification.ok()) return "after reading, " + verification.name + ": " + verification.failure;
  return "";
}

std::string listed_axes(const std::vector<RandomStep>& steps, uint64_t seed) {
  const auto failures = unlisted_axes(analyse(test::random_network(steps, seed)));
  return failures.empty() ? "" : failures.front();
}

/// At full width as the source itself, which is made at that batch size; cut, sample by sample.
std::string batch_sizes(const std::vector<RandomStep>& steps, uint64_t seed) {
  const Network network = test::random_network(steps, seed);
  const auto source = analyse(network);
  const auto images = at::randn({5, 3, 8, 8});
  const auto all = source.network.forward(images);
  const std::vector<c10::IValue> inputs{images};
  const auto tensors = network.tensors();
  const auto of_five = test::random_network(steps, seed, 5).forward(inputs, tensors, {});
  if (relative(all, of_five.at(0).toTensor()) > kBatchTolerance)
    return "five images have other outputs than the network that is made for five";
  for (int64_t i = 0; i < 5; ++i)
    if (relative(source.network.forward(images.narrow(0, i, 1)), all.narrow(0, i, 1)) > kBatchTolerance)
      return "an image's outputs depend on the others";
  const auto half = resample(source, test::half_of_every_group(source));
  return test::failure_at_other_sizes(network, half, false);
}

using Law = std::string (*)(const std::vector<RandomStep>&, uint64_t);

std::string failure_of(Law law, const std::vector<RandomStep>& steps, uint64_t seed) {
  try {
    return law(steps, seed);
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  } catch (const std::exception& error) {
    return error.what();
  }
}

/// Leaves out steps as long as the law fails without them.
std::vector<RandomStep> shrink(Law law, std::vector<RandomStep> steps, uint64_t seed) {
  for (size_t i = steps.size(); i-- > 0;) {
    auto fewer = steps;
    fewer.erase(fewer.begin() + static_cast<int64_t>(i));
    if (!failure_of(law, fewer, seed).empty()) steps = std::move(fewer);
  }
  return steps;
}

class RandomNetworks : public testing::TestWithParam<std::pair<const char*, Law>> {};

TEST_P(RandomNetworks, HoldTheLaw) {
  const at::NoGradGuard no_grad;
  const Law law = GetParam().second;
  for (uint64_t seed = 1; seed <= network_count(); ++seed) {
    const auto steps = test::random_steps(seed, kSteps);
    if (failure_of(law, steps, seed).empty()) continue;
    const auto least = shrink(law, steps, seed);
    ADD_FAILURE() << "seed " << seed << ", steps: " << test::describe(least) << "\n  "
                  << failure_of(law, least, seed);
  }
}

INSTANTIATE_TEST_SUITE_P(Laws, RandomNetworks,
                         testing::Values(std::pair{"PermutationAndWidths", Law(permutation_and_widths)},
                                         std::pair{"EqualChannels", Law(equal_channels)},
                                         std::pair{"RoundTrip", Law(round_trip)},
                                         std::pair{"ListedAxes", Law(listed_axes)},
                                         std::pair{"BatchSizes", Law(batch_sizes)}),
                         [](const auto& info) { return std::string(info.param.first); });

}  // namespace
}  // namespace inn
