#pragma once
// Text in HTML and in Graphviz's labels, which have the same markup.

#include <string>
#include <string_view>

namespace inn {

/// The text as it stands in an element, or in an attribute in double quotes: what is markup is escaped.
std::string escape_markup(std::string_view text);

}  // namespace inn
