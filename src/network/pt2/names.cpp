#include "names.h"

#include <cctype>
#include <set>

namespace inn::pt2 {
namespace {

const std::set<std::string> kTaken = {
    "False",    "None",   "True",  "and",  "as",     "assert",   "async",   "await", "break", "class",
    "continue", "def",    "del",   "elif", "else",   "except",   "finally", "for",   "from",  "global",
    "if",       "import", "in",    "is",   "lambda", "nonlocal", "not",     "or",    "pass",  "raise",
    "return",   "try",    "while", "with", "yield",  "self",     "output"};

std::string identifier(const std::string& name) {
  std::string result;
  for (const char c : name) result += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  if (result.empty() || std::isdigit(static_cast<unsigned char>(result[0]))) result = "v" + result;
  return kTaken.contains(result) ? result + "_" : result;
}

}  // namespace

std::vector<std::string> python_names(const Network& network) {
  std::vector<std::string> wanted;
  for (const auto& value : network.values) wanted.push_back(identifier(value.name));
  for (const auto& entry : network.state) {
    const char* prefix = entry.kind == StateEntry::Kind::parameter  ? "p_"
                         : entry.kind == StateEntry::Kind::constant ? "c_"
                                                                    : "b_";
    wanted[entry.value] = identifier(prefix + entry.name);
  }
  std::set<std::string> taken;
  std::vector<std::string> names;
  for (const auto& name : wanted) {
    auto distinct = name;
    for (int i = 1; !taken.insert(distinct).second; ++i) distinct = name + "_" + std::to_string(i);
    names.push_back(distinct);
  }
  return names;
}

}  // namespace inn::pt2
