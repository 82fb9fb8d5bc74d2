#include "json.h"

#include <limits>

#include "failure.h"

namespace inn::pt2 {
namespace {

constexpr int kDeepest = 200;

/// A JSON value for a message, truncated.
std::string shown(const Json& value) {
  const auto text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 60) + "…";
}

/// Whether the text nests deeper than allowed. A callback of the parser could check this, but with one the
/// parser walks all members of an object whenever one of them ends, in quadratic time.
bool nests_deeply(const std::string& content) {
  int depth = 0;
  bool is_in_string = false;
  for (size_t i = 0; i < content.size(); ++i) {
    const char c = content[i];
    if (is_in_string) {
      if (c == '\\') ++i;
      if (c == '"') is_in_string = false;
    } else if (c == '"') {
      is_in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepest) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

Json parse_json(const std::string& content, const std::string& record) {
  if (nests_deeply(content)) fail("record '{}' is nested deeper than {}", record, kDeepest);
  try {
    return Json::parse(content);
  } catch (const Json::exception& error) {
    fail("record '{}' is not JSON: {}", record, error.what());
  }
}

const Json& member(const Json& object, const std::string& name) {
  if (!object.is_object()) fail("JSON: expected an object with '{}' but got {}", name, shown(object));
  const auto found = object.find(name);
  if (found == object.end()) fail("JSON: '{}' is missing in {}", name, shown(object));
  return *found;
}

const Json& optional_member(const Json& object, const std::string& name) {
  static const Json null;
  if (!object.is_object()) fail("JSON: expected an object but got {}", shown(object));
  const auto found = object.find(name);
  return found == object.end() ? null : *found;
}

int64_t integer(const Json& value) {
  if (!value.is_number_integer()) fail("JSON: expected an integer but got {}", shown(value));
  if (value.is_number_unsigned() && value.get<uint64_t>() > std::numeric_limits<int64_t>::max())
    fail("JSON: the integer {} is too large", shown(value));
  return value.get<int64_t>();
}

bool boolean(const Json& value) {
  if (!value.is_boolean()) fail("JSON: expected true or false but got {}", shown(value));
  return value.get<bool>();
}

double number(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (value == "Infinity") return std::numeric_limits<double>::infinity();
  if (value == "-Infinity") return -std::numeric_limits<double>::infinity();
  if (value == "NaN") return std::numeric_limits<double>::quiet_NaN();
  fail("JSON: expected a number but got {}", shown(value));
}

const std::string& text(const Json& value) {
  if (!value.is_string()) fail("JSON: expected a string but got {}", shown(value));
  return value.get_ref<const std::string&>();
}

const Json& array(const Json& value) {
  if (!value.is_array()) fail("JSON: expected a list but got {}", shown(value));
  return value;
}

std::vector<int64_t> integers(const Json& value) {
  std::vector<int64_t> result;
  for (const auto& item : array(value)) result.push_back(integer(item));
  return result;
}

Tagged tagged(const Json& value) {
  if (!value.is_object() || value.size() != 1)
    fail("JSON: expected one tagged value but got {}", shown(value));
  const auto only = value.begin();
  return {only.key(), only.value()};
}

}  // namespace inn::pt2
