#pragma once
// The built-in importances, by family.

#include <vector>

#include "inn/pruning/importance.h"

namespace inn::importance_entries {

std::vector<Importance> of_weights();       // l1, l2, lp, lamp, fpgm
std::vector<Importance> of_batch_norms();   // batch_norm
std::vector<Importance> of_measurements();  // activation, activation_rms, wanda, fluctuation, taylor, hessian
std::vector<Importance> of_chance();        // random

}  // namespace inn::importance_entries
