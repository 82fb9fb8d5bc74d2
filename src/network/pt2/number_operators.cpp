#include "number_operators.h"

namespace inn::pt2 {

const std::vector<NumberOperator>& number_operators() {
  static const std::vector<NumberOperator> operators = [] {
    std::vector<NumberOperator> table = {
        {"_operator.floordiv", "ii", "aten::floordiv", "int"},
        {"_operator.truediv", "ii", "aten::div", "int"},
        {"_operator.truediv", "ff", "aten::div", "float"},
        {"_operator.truediv", "if", "aten::div", ""},
        {"_operator.truediv", "fi", "aten::div", ""},
        {"_operator.pow", "ii", "aten::pow", "int_to_int"},
        {"_operator.pow", "ff", "aten::pow", "float"},
        {"_operator.neg", "i", "aten::neg", "int"},
        {"_operator.neg", "f", "aten::neg", "float"},
        {"_operator.and_", "bb", "aten::__and__", "bool"},
        {"_operator.or_", "bb", "aten::__or__", "bool"},
        {"_operator.lshift", "ii", "aten::__lshift__", "int"},
        {"_operator.rshift", "ii", "aten::__rshift__", "int"},
        {"torch.sym_not", "b", "aten::__not__", ""},
        {"torch.sym_float", "i", "aten::Float", "int"},
        {"torch.sym_int", "f", "aten::Int", "float"},
        {"math.trunc", "f", "aten::Int", "float"},
        {"torch.sym_sqrt", "i", "aten::sqrt", "int"},
    };
    struct Family {
      const char *python, *op;
    };
    constexpr Family families[] = {
        {"_operator.add", "aten::add"},       {"_operator.sub", "aten::sub"}, {"_operator.mul", "aten::mul"},
        {"_operator.mod", "aten::remainder"}, {"torch.sym_max", "prim::max"}, {"torch.sym_min", "prim::min"},
        {"_operator.eq", "aten::eq"},         {"_operator.ne", "aten::ne"},   {"_operator.lt", "aten::lt"},
        {"_operator.le", "aten::le"},         {"_operator.gt", "aten::gt"},   {"_operator.ge", "aten::ge"}};
    for (const auto& [python, op] : families) {
      table.push_back({python, "ii", op, "int"});
      table.push_back({python, "ff", op, "float"});
      table.push_back({python, "if", op, "int_float"});
      table.push_back({python, "fi", op, "float_int"});
    }
    return table;
  }();
  return operators;
}

bool is_number_target(const std::string& target) {
  return target.starts_with("_operator.") || target.starts_with("math.") || target.starts_with("torch.sym_");
}

}  // namespace inn::pt2
