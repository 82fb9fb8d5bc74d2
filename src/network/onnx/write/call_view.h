#pragma once
// The arguments of a call, by the names of its operator's schema.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "emitter.h"
#include "inn/network/network.h"

namespace inn::onnx {

class CallView {
 public:
  CallView(Emitter& emitter, const Call& call);

  const Call& call() const { return call_; }
  bool has(const std::string& argument) const;  // whether it is given, and not None
  const Argument& argument(const std::string& name) const;

  /// A tensor argument, "" for None; one that is a number is a constant of type `type`.
  Name tensor(const std::string& name, std::optional<c10::ScalarType> type = {}) const;
  std::vector<Name> tensors(const std::string& name) const;
  /// Constants. Throw std::invalid_argument naming the argument if it is computed or of another kind.
  int64_t integer(const std::string& name) const;
  int64_t integer_or(const std::string& name, int64_t missing) const {
    return has(name) ? integer(name) : missing;
  }
  double number(const std::string& name) const;
  c10::Scalar scalar(const std::string& name) const;
  bool flag(const std::string& name) const;
  std::string text(const std::string& name) const;
  /// A list of `count` integers; one that has a single number repeats it (a padding of 1).
  std::vector<int64_t> integers(const std::string& name, size_t count = 0) const;
  /// The elements of a list of sizes.
  std::vector<Argument> list(const std::string& name) const;

  /// Of the example; -1: dynamic.
  const Value& value(const std::string& name) const;
  int64_t rank(const std::string& name) const { return static_cast<int64_t>(value(name).sizes.size()); }
  c10::ScalarType type(const std::string& name) const { return value(name).dtype; }
  bool is_dynamic(int64_t axis, const std::string& of) const;
  /// An axis from 0 of a tensor argument.
  int64_t axis(const std::string& name, const std::string& of) const;
  std::vector<int64_t> axes(const std::string& name, const std::string& of) const;
  const Value& result(size_t place = 0) const;

  /// Refuses this call: std::invalid_argument with its name and module, and why.
  [[noreturn]] void refuse(const std::string& why) const;

 private:
  Emitter& emitter_;
  const Call& call_;
  std::vector<std::string> names_;  // of the arguments
};

}  // namespace inn::onnx
