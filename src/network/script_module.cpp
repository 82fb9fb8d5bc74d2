#include "script_module.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/csrc/jit/serialization/import_source.h>

#include <charconv>
#include <set>

#include "allowed_operators.h"
#include "inn/core/error.h"
#include "inn/core/unpickle.h"

namespace inn {
namespace {

namespace jit = torch::jit;

// Nodes of a program other than calls of operators. Functions and methods that are called are checked too.
const std::set<std::string> kStructure = {"prim::Constant",
                                          "prim::GetAttr",
                                          "prim::SetAttr",
                                          "prim::CreateObject",
                                          "prim::CallFunction",
                                          "prim::CallMethod",
                                          "prim::If",
                                          "prim::Loop",
                                          "prim::Enter",
                                          "prim::Exit",
                                          "prim::ListConstruct",
                                          "prim::ListUnpack",
                                          "prim::TupleConstruct",
                                          "prim::TupleUnpack",
                                          "prim::TupleIndex",
                                          "prim::TupleSlice",
                                          "prim::DictConstruct",
                                          "prim::Uninitialized",
                                          "prim::isinstance",
                                          "prim::unchecked_cast",
                                          "prim::annotate",
                                          "prim::RaiseException",
                                          "aten::warn",
                                          "aten::set_grad_enabled"};
// Operators on strings and on dictionaries: their results reach no file, since no operator that takes a path is
// allowed.
const std::set<std::string> kOnTexts = {
    "aten::format", "aten::percentFormat", "aten::str",         "aten::add",          "aten::eq",
    "aten::ne",     "aten::len",           "aten::__getitem__", "aten::__contains__", "aten::_set_item",
    "aten::dict",   "aten::keys",          "aten::values",      "aten::items",        "aten::join",
    "prim::type"};

/// Whether objects of the type are constructed by torch itself, as packed weights are.
bool is_of_torch(const c10::TypePtr& type) {
  const auto named = type->cast<c10::NamedType>();
  return named && named->name() && named->name()->qualifiedName().starts_with("__torch__.torch.classes.");
}

void check(const jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  const auto refuse = [&](const std::string& why) {
    raise("network", "call '{}': {}, {}", kind, why, node.sourceRange().str().substr(0, 200));
  };
  for (const auto* input : node.inputs())
    if (is_of_torch(input->type()))
      refuse("its argument is a " + input->type()->str() + ", which is not supported");
  if (kStructure.contains(kind) || kOnTexts.contains(kind)) return;
  const auto* schema = node.maybeSchema();
  if (!schema) refuse("it is not supported in a file");
  const auto refusal =
      refusal_of(*schema, [&](size_t i) { return i < node.inputs().size() && node.input(i)->mustBeNone(); });
  if (!refusal.empty()) refuse(refusal);
}

void check(const jit::Block& block) {
  for (const auto* node : block.nodes()) {
    check(*node);
    for (const auto* inner : node->blocks()) check(*inner);
  }
}

/// The classes of a file, compiled from its source as they are asked for.
class ScriptClasses {
 public:
  explicit ScriptClasses(const ZipArchive& archive)
      : archive_(archive),
        unit_(std::make_shared<jit::CompilationUnit>()),
        importer_(
            unit_, &constants_, [this](const std::string& qualifier) { return source_of(qualifier); },
            version()) {
    const auto constants = unpickle(archive_, "constants", classes());
    constants_ = constants.toTupleRef().elements().vec();
  }

  jit::Module module() {
    const auto value = unpickle(archive_, "data", classes());
    require(value.isObject(), "network", "it holds a {} and not a module", value.tagKind());
    jit::Module module(value.toObject());
    for (auto* function : unit_->get_functions()) {
      require(function->isGraphFunction(), "network", "function '{}' is no code of the file",
              function->qualname().qualifiedName());
      check(*jit::toGraphFunction(*function).graph()->block());
    }
    return module;
  }

 private:
  PickledClasses classes() {
    return {[this](const c10::QualifiedName& name) {
              auto type = importer_.loadType(name);
              require(!is_of_torch(type), "network", "objects of class '{}' are not supported",
                      name.qualifiedName());
              return c10::StrongTypePtr(unit_, std::move(type));
            },
            [](const c10::StrongTypePtr& type, c10::IValue state) {
              const auto made = type.type_->expect<c10::ClassType>();
              require(!made->findMethod("__setstate__"), "network",
                      "objects of class '{}' are made by its method __setstate__, which is not supported",
                      made->name()->qualifiedName());
              return jit::ObjLoaderFunc(type, std::move(state));
            }};
  }

  std::shared_ptr<jit::Source> source_of(std::string qualifier) const {
    std::replace(qualifier.begin(), qualifier.end(), '.', '/');
    const auto record = "code/" + qualifier + ".py";
    if (!archive_.has(record)) return nullptr;
    return std::make_shared<jit::Source>(archive_.text(record), record, 1);
  }

  size_t version() const {
    const auto text = archive_.text(archive_.has("version") ? "version" : ".data/version");
    size_t version = 0;
    std::from_chars(text.data(), text.data() + text.size(), version);
    return version;
  }

  const ZipArchive& archive_;
  std::shared_ptr<jit::CompilationUnit> unit_;
  std::vector<c10::IValue> constants_;
  jit::SourceImporter importer_;
};

}  // namespace

torch::jit::Module read_script_module(const ZipArchive& archive) {
  require<std::runtime_error>(archive.has("constants.pkl") && archive.has("data.pkl"), "network",
                              "it holds no TorchScript module");
  return ScriptClasses(archive).module();
}

}  // namespace inn
