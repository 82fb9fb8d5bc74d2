#pragma once
// The optimizers and losses that the tables begin with.

#include "inn/train/recipe.h"

namespace inn::recipes {

OptimizerEntry sgd();
OptimizerEntry adam();
OptimizerEntry adamw();

LossEntry cross_entropy();
LossEntry mse();
LossEntry l1();

}  // namespace inn::recipes
