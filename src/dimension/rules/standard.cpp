#include "rules/rules.h"

namespace inn {

RuleTable RuleTable::standard() {
  RuleTable table;
  rules::add_elementwise(table);
  rules::add_reduction(table);
  rules::add_normalization(table);
  rules::add_convolution(table);
  rules::add_pooling(table);
  rules::add_product(table);
  rules::add_reshape(table);
  rules::add_movement(table);
  rules::add_partition(table);
  rules::add_attention(table);
  rules::add_einsum(table);
  rules::add_recurrent(table);
  rules::add_rearrangement(table);
  rules::add_choice(table);
  rules::add_lookup(table);
  rules::add_factory(table);
  rules::add_fourier(table);
  rules::add_integer(table);
  return table;
}

}  // namespace inn
