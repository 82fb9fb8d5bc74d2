#include "inn/core/error.h"
#include "inn/cost/formula.h"

namespace inn {

CallSizes::CallSizes(const Call& call, const std::vector<Sizes>& sizes_of)
    : call_(call), schema_(find_schema(call.op, call.overload)), sizes_of_(sizes_of) {}

const Argument* CallSizes::find(const std::string& argument) const {
  const auto place = schema_.argumentIndexWithName(argument);
  return place && *place < static_cast<int>(call_.arguments.size()) ? &call_.arguments[*place] : nullptr;
}

bool CallSizes::has(const std::string& argument) const {
  const auto* found = find(argument);
  return found != nullptr && found->is_value();
}

const Sizes& CallSizes::of(const std::string& argument) const {
  require(has(argument), "cost", "Call '{}': no tensor '{}'.", call_.qualified_name(), argument);
  return sizes_of_.at(find(argument)->value());
}

std::vector<Sizes> CallSizes::list_of(const std::string& argument) const {
  std::vector<Sizes> list;
  if (const auto* found = find(argument))
    found->for_each_value([&](ValueId id) { list.push_back(sizes_of_.at(id)); });
  return list;
}

c10::IValue CallSizes::constant(const std::string& argument) const {
  const auto* found = find(argument);
  return found != nullptr && found->is_constant() ? found->constant() : c10::IValue();
}

const Sizes& CallSizes::output() const {
  for (const auto& result : call_.results)
    if (!result.values.empty()) return sizes_of_.at(result.values.front());
  raise("cost", "Call '{}': returns nothing.", call_.qualified_name());
}

int64_t count_elements(const Sizes& sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  return count;
}

}  // namespace inn
