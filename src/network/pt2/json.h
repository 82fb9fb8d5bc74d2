#pragma once
// Checked access to JSON: each function names the value that is not as expected.

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace inn::pt2 {

/// Members are found in logarithmic time; their order is not preserved.
using Json = nlohmann::json;

/// Returns the document. Throws std::runtime_error naming `record` where it is no JSON, or nests deeper than
/// 200.
Json parse_json(const std::string& text, const std::string& record);

/// Returns the member. Throws where `object` is no object or has no such member.
const Json& member(const Json& object, const std::string& name);
/// Returns the member, or null where it is missing.
const Json& optional_member(const Json& object, const std::string& name);

int64_t integer(const Json& value);
bool boolean(const Json& value);
double number(const Json& value);  // "Infinity", "-Infinity", "NaN" too
const std::string& text(const Json& value);
const Json& array(const Json& value);
std::vector<int64_t> integers(const Json& value);

/// A tagged union as torch writes it: {"as_int": 3}.
struct Tagged {
  const std::string& tag;
  const Json& value;
};
Tagged tagged(const Json& value);

}  // namespace inn::pt2
