// What evaluation has sampled serves the next run, unless anything that it was sampled of is another.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "inn/model/integral_model.h"
#include "model/small_convolutional.h"

namespace inn {
namespace {

class Sampled : public testing::Test {
 protected:
  Sampled() : model(convert(small_convolutional())) {
    model->eval();
    model->resize(0.5);
  }

  /// The output without gradients must be that of a model that has sampled nothing yet.
  void expect_fresh(const char* what) {
    const at::NoGradGuard no_grad;
    const auto x = input().to(model->network().state[0].tensor.scalar_type());
    const auto output = model->forward(x);
    model->forget_sampled();
    EXPECT_TRUE(at::equal(output, model->forward(x))) << what;
    EXPECT_FALSE(last.defined() && at::equal(output.to(at::kDouble), last)) << what << " changed nothing";
    last = output.to(at::kDouble);
  }

  at::Tensor weight() { return model->named_parameters()["conv2.weight"]; }

  IntegralModel model;
  at::Tensor last;
};

TEST_F(Sampled, ServesTheNextRun) {
  const at::NoGradGuard no_grad;
  const auto before = model->forward(input());
  // A write that torch can't see shows that nothing is sampled again.
  weight().data().mul_(2);
  EXPECT_TRUE(at::equal(model->forward(input()), before));
  model->forget_sampled();
  EXPECT_GT(difference(model->forward(input()), before), 1e-3);
}

TEST_F(Sampled, FollowsTensors) {
  expect_fresh("the first run");
  {
    const at::NoGradGuard no_grad;
    weight().mul_(2);
  }
  expect_fresh("a write in place");
  weight().set_data(weight().detach() * 3);
  expect_fresh("set_data");
  weight().set_data(weight().detach().flip(0));
  expect_fresh("set_data of another tensor as often written to");
  // The same memory seen otherwise.
  weight().set_data(weight().detach().transpose(2, 3));
  expect_fresh("set_data of a view");
  const auto replaced = weight().detach() * 0.5;
  for (int i = 0; i < 20; ++i) {
    // The allocator gives back the memory that was freed just now.
    const auto next = replaced * static_cast<double>(i + 1);
    weight().set_data(next.clone());
    expect_fresh("set_data where another tensor was");
  }
}

TEST_F(Sampled, FollowsTheDtype) {
  expect_fresh("float64");
  model->to(at::kFloat);
  expect_fresh("float32");
  model->to(at::kBFloat16);
  expect_fresh("bfloat16");
  model->to(at::kDouble);
  expect_fresh("float64 again");
}

/// A grid that says nothing of being drawn.
class ShiftedGrid : public Grid {
 public:
  at::Tensor points() const override { return at::linspace(0, 1 - shift, 4, at::kDouble); }
  int64_t size() const override { return 4; }
  std::string_view kind() const override { return "shifted"; }
  std::shared_ptr<Grid> clone() const override { return std::make_shared<ShiftedGrid>(*this); }
  double shift = 0;
};

TEST_F(Sampled, FollowsGridsOfOneSize) {
  expect_fresh("nested");
  const auto grid = std::make_shared<ShiftedGrid>();
  model->groups()[0].set_grid(grid);
  expect_fresh("another grid of the same size");
  grid->shift = 0.1;
  expect_fresh("other points of the same grid");
  const auto learnt = std::make_shared<TrainableGrid>(4);
  model->groups()[0].set_grid(learnt);
  expect_fresh("a grid that learns");
  {
    const at::NoGradGuard no_grad;
    at::Tensor(learnt->theta()).copy_(at::tensor({0.5, 0.1, -0.2}, at::kDouble));
  }
  expect_fresh("what it has learnt");
  at::Tensor(learnt->theta()).set_data(at::tensor({0.1, 0.4, 0.2}, at::kDouble));
  expect_fresh("what it was given");
}

TEST_F(Sampled, IsSharedByThreads) {
  at::Tensor expected;
  {
    const at::NoGradGuard no_grad;
    expected = model->forward(input());
  }
  const auto x = input();
  std::atomic<int> wrong = 0;
  const auto run = [&](bool gradients) {
    for (int i = 0; i < 60; ++i) {
      const at::AutoGradMode mode(gradients);
      if (difference(model->forward(x).detach(), expected) > kRounding) ++wrong;
      if (i % 7 == 0) model->forget_sampled();
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) threads.emplace_back(run, t % 3 == 0);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace inn
