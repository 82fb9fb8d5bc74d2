#include "inn/core/ranks.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace inn {
namespace {

// Sums over several ranks are tested where there are several: tests/python/test_distributed.py.
TEST(Ranks, OfOneProcessChangeNothing) {
  EXPECT_EQ(ranks().rank, 0);
  EXPECT_EQ(ranks().count, 1);
  at::Tensor tensor = at::arange(3, at::kDouble);
  const at::Tensor before = tensor;
  sum_over_ranks(tensor);
  EXPECT_TRUE(tensor.is_same(before));
  int64_t count = 7;
  double number = 0.5;
  sum_over_ranks(count);
  sum_over_ranks(number);
  EXPECT_EQ(count, 7);
  EXPECT_EQ(number, 0.5);
  EXPECT_TRUE(at::equal(of_every_rank(tensor), tensor.unsqueeze(0)));
  EXPECT_EQ(sum_of_ranks_before(5), 0);
}

TEST(Ranks, RefusesWhatIsOutOfRange) {
  EXPECT_THROW(set_ranks({.rank = 2, .count = 2, .group = "group"}), std::invalid_argument);
  EXPECT_THROW(set_ranks({.rank = -1, .count = 2, .group = "group"}), std::invalid_argument);
  EXPECT_THROW(set_ranks({.rank = 0, .count = 0}), std::invalid_argument);
  EXPECT_THROW(set_ranks({.rank = 0, .count = 2}), std::invalid_argument);
  EXPECT_EQ(ranks().count, 1);
}

TEST(Ranks, AnUnknownGroupIsAnError) {
  set_ranks({.rank = 0, .count = 2, .group = "no such group"});
  at::Tensor tensor = at::ones({1});
  EXPECT_ANY_THROW(sum_over_ranks(tensor));
  set_ranks({});
  EXPECT_EQ(ranks().count, 1);
}

}  // namespace
}  // namespace inn
