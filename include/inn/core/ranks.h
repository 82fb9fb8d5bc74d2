#pragma once
// Processes that share the work on the samples of a data set.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>

namespace inn {

/// The ranks of a distributed run. Each measures its own samples; what is measured is summed over all, so that all
/// compute the same.
struct Ranks {
  int64_t rank = 0, count = 1;
  std::string group = {};  // the name of the process group in c10d's registry; "" for one rank
};

/// Sets the ranks of this process. Throws std::invalid_argument unless 0 ≤ rank < count.
void set_ranks(Ranks ranks);
const Ranks& ranks();

/// Adds up a tensor of every rank, in place; all have the same sizes, and all must call it. With one rank it stays
/// as it is.
void sum_over_ranks(at::Tensor& tensor);
void sum_over_ranks(double& number);
void sum_over_ranks(int64_t& number);  // below 2⁵³

/// Returns the tensors of all ranks, [count, …], in their order.
at::Tensor of_every_rank(const at::Tensor& tensor);

/// Returns the share of one of `ranks` in `count` things in order: from the first number to before the second. It may be
/// empty.
std::pair<int64_t, int64_t> share_of(int64_t count, int64_t rank, int64_t ranks);

/// Returns the sum of the numbers of the ranks before this one.
int64_t sum_of_ranks_before(int64_t number);

}  // namespace inn
