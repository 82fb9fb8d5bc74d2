#pragma once
// The optimizers that the table begins with.

#include "inn/train/recipe.h"

namespace inn::recipes {

OptimizerEntry sgd();
OptimizerEntry adam();
OptimizerEntry adamw();

}  // namespace inn::recipes
