#include "allowed_operators.h"

#include <set>

#include "schema.h"

namespace inn {
namespace {

using c10::TypeKind;

// Namespaces of torch itself whose operators do more than compute, or compute on packed objects or unchecked
// memory. Operators of the program's own libraries are checked by their schemas alone.
const std::set<std::string> kForeign = {"_c10d_functional",
                                        "_c10d_functional_autograd",
                                        "_dtensor",
                                        "_native",
                                        "_quantized",
                                        "_test",
                                        "c10d",
                                        "cuda",
                                        "debug_mode_ops",
                                        "debugprims",
                                        "export",
                                        "inductor",
                                        "inductor_prims",
                                        "mkl",
                                        "mkldnn",
                                        "mkldnn_prepacked",
                                        "onednn",
                                        "onnx",
                                        "profiler",
                                        "quantization",
                                        "quantized",
                                        "rngprims",
                                        "rpc",
                                        "sparse",
                                        "static_runtime",
                                        "streams",
                                        "symm_mem",
                                        "tensorexpr",
                                        "xnnpack"};

/// The allowed strings, by the name of the argument.
const std::map<std::string, std::set<std::string>> kTexts = {
    {"approximate", {"none", "tanh"}},
    {"driver", {"gels", "gelsy", "gelsd", "gelss", "gesvd", "gesvdj", "gesvda"}},
    {"indexing", {"ij", "xy"}},
    {"interpolation", {"linear", "lower", "higher", "midpoint", "nearest"}},
    {"mode", {"constant", "reflect", "replicate", "circular", "reduced", "complete", "r"}},
    {"norm", {"backward", "forward", "ortho"}},
    {"ord", {"fro", "nuc"}},
    {"p", {"fro", "nuc"}},
    {"pad_mode", {"constant", "reflect", "replicate", "circular"}},
    {"padding", {"valid", "same"}},
    {"padding_side", {"left", "right"}},
    {"reduce", {"sum", "mean", "prod", "max", "min", "amax", "amin", "add", "multiply"}},
    {"rounding_mode", {"floor", "trunc"}},
    {"side", {"left", "right"}},
    {"UPLO", {"L", "U"}}};
constexpr const char* kEquation = "equation";  // of einsum
constexpr std::string_view kEquationSigns = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,-> ";

bool takes_text(const c10::Argument& place) {
  return without_optional(place.type())->kind() == TypeKind::StringType;
}

bool is_data(const c10::TypePtr& type) {
  switch (type->kind()) {
    case TypeKind::TensorType:
    case TypeKind::NumberType:
    case TypeKind::IntType:
    case TypeKind::SymIntType:
    case TypeKind::FloatType:
    case TypeKind::SymFloatType:
    case TypeKind::ComplexType:
    case TypeKind::BoolType:
    case TypeKind::SymBoolType:
    case TypeKind::NoneType:
    case TypeKind::DeviceObjType:
    case TypeKind::ScalarTypeType:
    case TypeKind::LayoutType:
    case TypeKind::MemoryFormatType:
    case TypeKind::VarType:
      return true;
    case TypeKind::ListType:
    case TypeKind::OptionalType:
    case TypeKind::TupleType: {
      const auto parts = type->containedTypes();
      return std::all_of(parts.begin(), parts.end(), is_data);
    }
    default:
      return false;
  }
}

bool is_known_text(const std::string& argument, const std::string& text) {
  if (argument == kEquation) return text.find_first_not_of(kEquationSigns) == std::string::npos;
  return kTexts.at(argument).contains(text);
}

}  // namespace

std::string refusal_of(const c10::FunctionSchema& schema, const std::function<bool(size_t)>& is_none) {
  const auto& name = schema.name();
  const auto space = name.substr(0, name.find("::"));
  if (kForeign.contains(space)) return fmt::format("operators of '{}' are not supported", space);
  if (name.ends_with("_unsafe")) return "an operator that does not check its arguments is not allowed";
  if (schema.is_vararg()) return "its arguments are not known";
  if (schema.returns().empty() && !schema.is_mutable())
    return "an operator that computes nothing is not allowed";
  for (size_t i = 0; i < schema.arguments().size(); ++i) {
    const auto& place = schema.arguments()[i];
    if (takes_text(place)) {
      if (!kTexts.contains(place.name()) && place.name() != kEquation)
        return fmt::format(
            "its argument '{}' is a text; an operator that takes paths, names or messages is not "
            "allowed",
            place.name());
    } else if (!is_data(place.type()) && !(is_optional(place.type()) && is_none(i))) {
      return fmt::format("its argument '{}' is a {}, which is not supported", place.name(),
                         place.type()->str());
    }
  }
  for (const auto& result : schema.returns())
    if (!is_data(result.type()))
      return fmt::format("it gives a {}, which is not supported", result.type()->str());
  return "";
}

std::string refusal_of(const Call& call, const c10::FunctionSchema& schema) {
  auto refusal = refusal_of(schema, [&](size_t i) { return call.arguments.at(i).is_none(); });
  if (!refusal.empty()) return refusal;
  for (size_t i = 0; i < call.arguments.size(); ++i) {
    const auto& place = schema.arguments()[i];
    const auto& argument = call.arguments[i];
    if (!takes_text(place) || argument.is_none()) continue;
    const bool is_text = argument.is_constant() && argument.constant().isString();
    if (!is_text || !is_known_text(place.name(), argument.constant().toStringRef()))
      return fmt::format("its argument '{}' can't be '{}'", place.name(),
                         is_text ? argument.constant().toStringRef() : "a value");
  }
  return "";
}

}  // namespace inn
