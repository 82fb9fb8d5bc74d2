// The grids of a model's groups: drawn, learnt, and taken back.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

#include "inn/model/integral_model.h"
#include "model/small_convolutional.h"

namespace inn {
namespace {

TEST(IntegralModel, DrawsWidthsOnlyWhileTraining) {
  auto model = convert(small_convolutional());
  model->set_distribution(FractionDistribution(Uniform{0.25, 1}));
  model->eval();
  model->forward(input());
  EXPECT_EQ(model->group("conv1").width(), 8);
  model->train();
  std::set<int64_t> seen;
  for (int i = 0; i < 30; ++i) {
    model->forward(input());
    seen.insert(model->group("conv1").width());
  }
  EXPECT_GT(seen.size(), 3U);
  EXPECT_GE(*seen.begin(), 2);
  EXPECT_LE(*seen.rbegin(), 8);
}

TEST(IntegralModel, AGroupMayHaveADistributionOfItsOwn) {
  auto model = convert(small_convolutional());
  model->groups()[0].set_distribution(Uniform{3, 5});
  EXPECT_THROW(model->groups()[0].set_distribution(Uniform{3, 500}), std::invalid_argument);
  model->train();
  for (int i = 0; i < 10; ++i) {
    model->forward(input());
    EXPECT_GE(model->groups()[0].width(), 3);
    EXPECT_LE(model->groups()[0].width(), 5);
    EXPECT_EQ(model->groups()[1].width(), model->groups()[1].source_width());
  }
}

TEST(IntegralModel, TakesNoWidthsInChannelsForFractions) {
  auto model = convert(small_convolutional());
  for (const Distribution& law : {Distribution(Uniform{8, 16}), Distribution(Uniform{2, 8}),
                                  Distribution(Choice{{4, 6}}), Distribution(LogUniform{1, 4})})
    EXPECT_THROW(model->set_distribution(law), std::invalid_argument);
  // More than eight times the source's width can't be, however it is said.
  EXPECT_THROW(model->set_distribution(FractionDistribution(Uniform{0.5, 16})), std::invalid_argument);
  EXPECT_FALSE(model->distribution().has_value());
  model->set_distribution(Uniform{0.5, 2});
  model->set_distribution(Choice{{1}});
  model->set_distribution(FractionDistribution(Uniform{2, 4}));
  EXPECT_EQ(model->distribution()->law(), Distribution(Uniform{2, 4}));
}

/// What learns in the grid that a group has, and nothing else.
std::vector<std::string> grid_parameters(const IntegralModelImpl& model) {
  std::vector<std::string> names;
  for (const auto& parameter : model.named_parameters())
    if (parameter.key().starts_with("integral_grids.")) names.push_back(parameter.key());
  return names;
}

TEST(IntegralModel, HasAsParametersWhatLearnsInTheGridsOfItsGroups) {
  using Names = std::vector<std::string>;
  auto model = convert(small_convolutional());
  auto& group = model->groups()[0];
  const auto grid = std::make_shared<TrainableGrid>(5);
  group.set_grid(grid);
  ASSERT_EQ(grid_parameters(*model), Names{"integral_grids.conv1"});
  EXPECT_TRUE(model->named_parameters()["integral_grids.conv1"].is_same(grid->theta()));
  group.resize(8);
  EXPECT_EQ(grid_parameters(*model), Names{});
  EXPECT_EQ(grid_parameters(*model->clone_model()), Names{});
  // A grid of several parts has a parameter for each.
  model->set_grid("conv1", std::make_shared<CompositeGrid>(std::vector<std::shared_ptr<Grid>>{
                               std::make_shared<TrainableGrid>(3), std::make_shared<TrainableGrid>(4)}));
  EXPECT_EQ(grid_parameters(*model), (Names{"integral_grids.conv1", "integral_grids.conv1[1]"}));
  EXPECT_EQ(grid_parameters(*model->clone_model()).size(), 2U);
  model->tune_grids();
  EXPECT_EQ(grid_parameters(*model), (Names{"integral_grids.conv1", "integral_grids.conv2"}));
  model->restore();
  EXPECT_EQ(grid_parameters(*model), Names{});
}

TEST(IntegralModel, DrawsRandomGridsAnewInEveryForwardOfTraining) {
  auto model = convert(small_convolutional());
  model->groups()[0].set_grid(std::make_shared<RandomGrid>(Uniform{2, 8}, 7));
  RandomGrid twin(Uniform{2, 8}, 7);
  model->train();
  std::set<int64_t> seen;
  for (int i = 0; i < 20; ++i) {
    model->forward(input());
    twin.draw();
    EXPECT_EQ(model->groups()[0].width(), twin.size());
    seen.insert(twin.size());
  }
  EXPECT_GT(seen.size(), 3U);
  model->eval();
  model->forward(input());
  EXPECT_EQ(model->groups()[0].width(), twin.size());
  EXPECT_THROW(model->groups()[0].set_grid(std::make_shared<RandomGrid>(Uniform{2, 65}, 7)),
               std::invalid_argument);
}

}  // namespace
}  // namespace inn
