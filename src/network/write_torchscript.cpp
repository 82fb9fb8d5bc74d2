#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "inn/network/files.h"
#include "schema.h"

namespace inn {
namespace {

namespace jit = torch::jit;

/// Builds the method `forward` of a module from a network's calls.
class ScriptBuilder {
 public:
  explicit ScriptBuilder(const Network& network)
      : network_(network),
        module_(c10::QualifiedName("__torch__.inn.Network")),
        graph_(std::make_shared<jit::Graph>()),
        values_(network.values.size(), nullptr),
        symbols_(network.symbols.size(), nullptr) {
    for (size_t s = 0; s < network.symbols.size(); ++s)
      if (const auto& source = network.symbols[s].source) symbols_of_.emplace(source->value, s);
  }

  jit::Module build() {
    for (const auto& entry : network_.state) add_state(module_, entry.name, entry);
    auto* self = graph_->addInput("self");
    self->setType(module_._ivalue()->type());
    for (const auto input : network_.inputs) {
      auto* value = graph_->addInput();
      value->setType(type_of(network_.values[input]));
      set(input, value);
    }
    for (const auto& entry : network_.state) set(entry.value, read_state(self, entry.name));
    for (const auto& call : network_.calls) add_call(call);
    std::vector<jit::Value*> outputs;
    for (const auto& output : network_.outputs) outputs.push_back(value_of(output, nullptr));
    graph_->registerOutput(outputs.size() == 1 ? outputs[0]
                                               : graph_->insertNode(graph_->createTuple(outputs))->output());
    const auto type = module_._ivalue()->type();
    auto* function = module_._ivalue()->compilation_unit()->create_function(
        c10::QualifiedName(*type->name(), "forward"), graph_);
    type->addMethod(function);
    return module_;
  }

 private:
  static c10::TypePtr type_of(const Value& value) {
    if (value.kind == Value::Kind::tensor) return c10::TensorType::get();
    if (value.kind == Value::Kind::integer) return c10::IntType::get();
    if (value.dtype == c10::ScalarType::Bool) return c10::BoolType::get();
    return c10::FloatType::get();
  }

  /// Registers the tensor under its dotted name, creating submodules as required.
  void add_state(jit::Module& module, const std::string& name, const StateEntry& entry) {
    const auto dot = name.find('.');
    if (dot == std::string::npos) {
      const auto tensor = entry.tensor.detach().clone().set_requires_grad(entry.tensor.requires_grad());
      if (entry.kind == StateEntry::Kind::parameter) {
        module.register_parameter(name, tensor, false);
      } else {
        module.register_buffer(name, tensor);
      }
      return;
    }
    const auto part = name.substr(0, dot);
    if (!module.hasattr(part)) {
      const auto class_name = fmt::format("__torch__.inn.Module{}", module_count_++);
      module.register_module(
          part, jit::Module(c10::QualifiedName(class_name), module._ivalue()->compilation_unit()));
    }
    auto child = module.attr(part).toModule();
    add_state(child, name.substr(dot + 1), entry);
  }

  jit::Value* read_state(jit::Value* object, const std::string& name) {
    const auto dot = name.find('.');
    auto* part = graph_->insertGetAttr(object, name.substr(0, dot));
    return dot == std::string::npos ? part : read_state(part, name.substr(dot + 1));
  }

  /// Defines the value, and the symbols that are sizes of it.
  void set(ValueId id, jit::Value* value) {
    // TorchScript's power of two integers is a float.
    if (network_.values[id].kind == Value::Kind::integer && value->type()->kind() == c10::TypeKind::FloatType)
      value = graph_->insert(c10::aten::Int, {value});
    values_[id] = value;
    for (auto [symbol, end] = symbols_of_.equal_range(id); symbol != end; ++symbol)
      symbols_[symbol->second] =
          graph_->insert(c10::aten::size, {value, network_.symbols[symbol->second].source->axis});
  }

  void add_call(const Call& call) {
    const auto& schema = find_schema(call.op, call.overload);
    std::vector<jit::NamedValue> positional, keywords;
    for (size_t i = 0; i < call.arguments.size(); ++i) {
      const auto& place = schema.arguments()[i];
      const bool is_default = call.arguments[i].is_constant() && place.default_value() &&
                              call.arguments[i].constant() == *place.default_value();
      if (place.kwarg_only() && is_default) continue;
      auto* value = value_of(call.arguments[i], place.type());
      if (place.kwarg_only()) {
        keywords.emplace_back(place.name(), value);
      } else {
        positional.emplace_back(value);
      }
    }
    const auto op = call.op == "aten::sym_size" ? "aten::size" : call.op;
    jit::Value* result = nullptr;
    try {
      result = graph_->insert(c10::Symbol::fromQualString(op), positional, keywords);
    } catch (const std::exception& error) {
      raise("network", "Call '{}' in module '{}': not accepted by TorchScript: {}", call.qualified_name(),
            call.module, error.what());
    }
    add_results(call, result);
  }

  void add_results(const Call& call, jit::Value* result) {
    if (call.results.empty()) return;
    // Several results are returned as one tuple.
    std::vector<jit::Value*> returns = {result};
    if (call.results.size() > 1) {
      const auto outputs = jit::createTupleUnpack(result);
      returns.assign(outputs.begin(), outputs.end());
    }
    for (size_t r = 0; r < call.results.size(); ++r) {
      const auto& values = call.results[r].values;
      if (!call.results[r].is_list) {
        set(values[0], returns[r]);
        continue;
      }
      auto* unpacked = graph_->insertNode(graph_->createListUnpack(returns[r], values.size()));
      for (size_t i = 0; i < values.size(); ++i) set(values[i], unpacked->outputs()[i]);
    }
  }

  jit::Value* value_of(const Argument& argument, const c10::TypePtr& declared) {
    const auto type = declared ? without_optional(declared) : nullptr;
    if (argument.is_value()) return values_[argument.value()];
    if (argument.is_size()) return size_of(argument.size());
    if (argument.is_constant()) return graph_->insertConstant(argument.constant());
    const auto element = type && type->kind() == c10::TypeKind::ListType
                             ? type->castRaw<c10::ListType>()->getElementType()
                             : c10::TypePtr(c10::TensorType::get());
    std::vector<jit::Value*> items;
    for (const auto& item : argument.list()) items.push_back(value_of(item, element));
    return graph_->insertNode(graph_->createList(element, items))->output();
  }

  jit::Value* size_of(const SizeExpression& size) {
    jit::Value* sum = nullptr;
    for (const auto& term : size.terms()) {
      auto* product = graph_->insertConstant(term.coefficient);
      for (const auto symbol : term.symbols) {
        auto* factor =
            symbols_[symbol] ? symbols_[symbol] : graph_->insertConstant(network_.symbols[symbol].value);
        product = graph_->insert(c10::aten::mul, {product, factor});
      }
      sum = sum ? graph_->insert(c10::aten::add, {sum, product}) : product;
    }
    return sum ? sum : graph_->insertConstant(int64_t{0});
  }

  const Network& network_;
  jit::Module module_;
  std::shared_ptr<jit::Graph> graph_;
  std::vector<jit::Value*> values_, symbols_;
  std::unordered_multimap<ValueId, size_t> symbols_of_;  // the symbols that are an axis of the value
  int module_count_ = 0;
};

}  // namespace

void write_torchscript(const Network& network, const std::filesystem::path& path) {
  network.validate();
  write_atomically(path, [&](std::ostream& stream) {
    try {
      const auto module = ScriptBuilder(network).build();
      module.save(stream, {network.extra.begin(), network.extra.end()});
    } catch (const c10::Error& error) {
      raise<std::runtime_error>("network", "File '{}': {}", path.string(), error.what_without_backtrace());
    } catch (const std::runtime_error& error) {
      raise<std::runtime_error>("network", "File '{}': {}", path.string(), error.what());
    }
  });
}

}  // namespace inn
