#include "inn/network/onnx_operators.h"

#include "onnx/read/interpreter.h"
#include "onnx/write/rules.h"

namespace inn {
namespace {

std::vector<std::string> names_of(const auto& table) {
  std::vector<std::string> names;
  for (const auto& [name, entry] : table) names.push_back(name);
  return names;
}

}  // namespace

std::vector<std::string> onnx_operators_read() { return names_of(onnx::reading::operators()); }
std::vector<std::string> onnx_operators_written() { return names_of(onnx::rules()); }

}  // namespace inn
