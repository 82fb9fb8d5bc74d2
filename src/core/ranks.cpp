#include "inn/core/ranks.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>

#include "inn/core/error.h"

namespace inn {
namespace {

Ranks& of_process() {
  static Ranks ranks;
  return ranks;
}

}  // namespace

void set_ranks(Ranks given) {
  require(given.count >= 1 && given.rank >= 0 && given.rank < given.count, "core",
          "Ranks: the rank must be in [0, {}) but is {}.", given.count, given.rank);
  require(given.count == 1 || !given.group.empty(), "core", "Ranks: {} ranks require a process group.",
          given.count);
  of_process() = std::move(given);
}

const Ranks& ranks() { return of_process(); }

void sum_over_ranks(at::Tensor& tensor) {
  if (ranks().count == 1) return;
  const at::NoGradGuard no_grad;
  const auto call = [](const char* name, torch::jit::Stack stack) {
    c10::Dispatcher::singleton().findSchemaOrThrow(name, "").callBoxed(stack);
    return stack.at(0).toTensor();
  };
  const at::Tensor whole = tensor.cpu().contiguous();
  const at::Tensor sum = call("_c10d_functional::all_reduce", {whole, "sum", ranks().group});
  tensor = call("_c10d_functional::wait_tensor", {sum}).to(tensor.device());
}

void sum_over_ranks(double& number) {
  if (ranks().count == 1) return;
  at::Tensor tensor = at::full({1}, number, at::kDouble);
  sum_over_ranks(tensor);
  number = tensor.item<double>();
}

void sum_over_ranks(int64_t& number) {
  auto sum = static_cast<double>(number);
  sum_over_ranks(sum);
  number = static_cast<int64_t>(sum);
}

at::Tensor of_every_rank(const at::Tensor& tensor) {
  if (ranks().count == 1) return tensor.unsqueeze(0);
  std::vector<int64_t> sizes{ranks().count};
  sizes.insert(sizes.end(), tensor.sizes().begin(), tensor.sizes().end());
  at::Tensor all = at::zeros(sizes, tensor.options().requires_grad(false));
  all[ranks().rank].copy_(tensor);
  sum_over_ranks(all);
  return all;
}

std::pair<int64_t, int64_t> share_of(int64_t count, int64_t rank, int64_t ranks) {
  return {rank * count / ranks, (rank + 1) * count / ranks};
}

int64_t sum_of_ranks_before(int64_t number) {
  const at::Tensor all = of_every_rank(at::full({1}, number, at::kLong));
  return all.narrow(0, 0, ranks().rank).sum().item<int64_t>();
}

}  // namespace inn
