#include "namesakes.h"

#include <algorithm>

namespace inn::pt2 {

const std::vector<Namesake>& namesakes() {
  static const std::vector<Namesake> table{
      // Mixtures of experts, where torch's own operator can't be compiled for the dtype or device.
      {"transformers::grouped_mm_fallback", {"input", "weight", "offs"}, "aten::_grouped_mm", ""},
  };
  return table;
}

const Namesake* find_namesake(const std::string& op, const std::string& overload) {
  const auto found = std::find_if(namesakes().begin(), namesakes().end(), [&](const Namesake& entry) {
    return entry.other == op && overload.empty();
  });
  return found == namesakes().end() ? nullptr : &*found;
}

}  // namespace inn::pt2
