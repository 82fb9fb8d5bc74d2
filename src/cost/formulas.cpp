#include "inn/core/error.h"
#include "inn/cost/formula.h"

namespace inn {
namespace {

/// weight: [out, in/groups, taps…], or [in, out/groups, taps…] where transposed: then each input goes to all
/// of its taps.
int64_t convolution(const CallSizes& call, bool transposed) {
  const Sizes& weight = call.of("weight");
  return count_elements(transposed ? call.of("input") : call.output()) * count_elements(weight) /
         std::max<int64_t>(1, weight.at(0));
}

int64_t either_convolution(const CallSizes& call) {
  const auto transposed = call.constant("transposed");
  return convolution(call, transposed.isBool() && transposed.toBool());
}

/// The results times the contracted axis, which is the last one of `first`.
int64_t product(const CallSizes& call, const char* first) {
  const Sizes& sizes = call.of(first);
  return count_elements(call.output()) * (sizes.empty() ? 1 : sizes.back());
}

CostFormula product_formula(const char* op, const char* first) {
  return {op, [first](const CallSizes& call) { return product(call, first); }};
}

/// The results times all axes that are contracted.
int64_t contraction(const CallSizes& call) {
  const Sizes& sizes = call.of("self");
  int64_t macs = count_elements(call.output());
  const auto axes = call.constant("dims_self").toIntVector();
  for (const int64_t axis : axes)
    macs *= sizes.at(static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(sizes.size()) : axis));
  return macs;
}

/// query [… L, E], key [… S, E], value [… S, V]: scores and their product with the values.
int64_t attention(const CallSizes& call) {
  const Sizes &query = call.of("query"), &key = call.of("key"), &value = call.of("value");
  const int64_t rows = count_elements(query) / std::max<int64_t>(1, query.back());
  return rows * key.at(key.size() - 2) * (query.back() + value.back());
}

/// Every matrix of every layer and direction is applied once a step of time and sequence.
int64_t recurrent(const CallSizes& call, const char* sequence, const char* weights) {
  const Sizes& input = call.of(sequence);
  int64_t matrices = 0;
  for (const auto& weight : call.list_of(weights))
    if (weight.size() == 2) matrices += count_elements(weight);
  return count_elements(input) / std::max<int64_t>(1, input.back()) * matrices;
}

CostFormula recurrent_formula(const char* op) {
  return {op, [](const CallSizes& call) {
            return recurrent(call, call.has("data") ? "data" : "input", "params");
          }};
}

CostFormula cell_formula(const char* op) {
  return {op, [](const CallSizes& call) {
            const Sizes& input = call.of("input");
            return count_elements(input) / std::max<int64_t>(1, input.back()) *
                   (count_elements(call.of("w_ih")) + count_elements(call.of("w_hh")));
          }};
}

GrowingTable<CostFormula> standard() {
  GrowingTable<CostFormula> formulas;
  for (const char* op :
       {"aten::conv1d", "aten::conv2d", "aten::conv3d", "aten::convolution", "aten::_convolution"})
    formulas.push_back({op, either_convolution});
  for (const char* op : {"aten::conv_transpose1d", "aten::conv_transpose2d", "aten::conv_transpose3d"})
    formulas.push_back({op, [](const CallSizes& call) { return convolution(call, true); }});
  formulas.push_back(product_formula("aten::linear", "input"));
  for (const char* op : {"aten::mm", "aten::bmm", "aten::_grouped_mm", "aten::matmul", "aten::linalg_matmul",
                         "aten::inner", "aten::mv", "aten::dot", "aten::vdot"})
    formulas.push_back(product_formula(op, "self"));
  formulas.push_back({"aten::tensordot", contraction});
  formulas.push_back(product_formula("aten::addmm", "mat1"));
  formulas.push_back(product_formula("aten::addmv", "mat"));
  formulas.push_back(product_formula("aten::baddbmm", "batch1"));
  formulas.push_back({"aten::addbmm", [](const CallSizes& call) {
                        const Sizes& batches = call.of("batch1");
                        return product(call, "batch1") * batches.at(0);
                      }});
  formulas.push_back({"aten::bilinear", [](const CallSizes& call) {
                        return count_elements(call.output()) * call.of("input1").back() *
                               call.of("input2").back();
                      }});
  formulas.push_back({"aten::einsum", [](const CallSizes& call) {
                        return einsum_macs(call.constant("equation").toStringRef(), call.list_of("tensors"));
                      }});
  for (const char* op : {"aten::scaled_dot_product_attention", "aten::_scaled_dot_product_attention_math",
                         "aten::_scaled_dot_product_flash_attention_for_cpu"})
    formulas.push_back({op, attention});
  for (const char* op : {"aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu"})
    formulas.push_back(recurrent_formula(op));
  for (const char* op : {"aten::lstm_cell", "aten::gru_cell", "aten::rnn_tanh_cell", "aten::rnn_relu_cell"})
    formulas.push_back(cell_formula(op));
  return formulas;
}

GrowingTable<CostFormula>& table() {
  static GrowingTable<CostFormula> formulas = standard();
  return formulas;
}

}  // namespace

const GrowingTable<CostFormula>& cost_formulas() { return table(); }

void register_cost_formula(CostFormula formula) {
  for (const auto& known : table())
    require(known.op != formula.op, "cost", "Operator '{}': already has a formula.", formula.op);
  table().push_back(std::move(formula));
}

}  // namespace inn
