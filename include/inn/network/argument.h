#pragma once
// Arguments of calls.

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <variant>
#include <vector>

#include "inn/network/size_expression.h"

namespace inn {

using ValueId = int32_t;

/// A reference to a value of the network: a tensor, or an integer that the network computes (`sym_size`).
struct ValueRef {
  ValueId id;
  bool operator==(const ValueRef&) const = default;
};

/// One argument of a call: a constant (None, int, float, bool, string, dtype, device, lists of them), a
/// value, a size that depends on the widths, or a list of these.
struct Argument {
  using List = std::vector<Argument>;
  std::variant<c10::IValue, ValueRef, SizeExpression, List> content;

  Argument() = default;  // None
  Argument(c10::IValue constant) : content(std::move(constant)) {}
  Argument(ValueRef value) : content(value) {}
  Argument(SizeExpression size) : content(std::move(size)) {}
  Argument(List list) : content(std::move(list)) {}

  bool is_none() const { return is_constant() && constant().isNone(); }
  bool is_constant() const { return std::holds_alternative<c10::IValue>(content); }
  bool is_value() const { return std::holds_alternative<ValueRef>(content); }
  bool is_size() const { return std::holds_alternative<SizeExpression>(content); }
  bool is_list() const { return std::holds_alternative<List>(content); }

  const c10::IValue& constant() const { return std::get<c10::IValue>(content); }
  ValueId value() const { return std::get<ValueRef>(content).id; }
  const SizeExpression& size() const { return std::get<SizeExpression>(content); }
  const List& list() const { return std::get<List>(content); }
  List& list() { return std::get<List>(content); }

  /// Calls `visit(ValueId&)` for every value in it, in order, those inside lists included.
  template <class Visit>
  void for_each_value(Visit&& visit) {
    if (auto* value = std::get_if<ValueRef>(&content)) visit(value->id);
    if (auto* items = std::get_if<List>(&content))
      for (auto& item : *items) item.for_each_value(visit);
  }
  template <class Visit>
  void for_each_value(Visit&& visit) const {
    if (auto* value = std::get_if<ValueRef>(&content)) visit(value->id);
    if (auto* items = std::get_if<List>(&content))
      for (const auto& item : *items) item.for_each_value(visit);
  }
};

}  // namespace inn
