#pragma once
// The built-in optimizers and losses.

#include "inn/train/recipe.h"

namespace inn::recipes {

OptimizerEntry sgd();
OptimizerEntry adam();
OptimizerEntry adamw();

LossEntry cross_entropy();
LossEntry mse();
LossEntry l1();

}  // namespace inn::recipes
