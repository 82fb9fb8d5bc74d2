#pragma once
// The C++ code that a page shows, to be found again in what is compiled.

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

namespace inn::test {

/// Returns the lines without the spaces at their start.
inline std::string unindented(const std::string& text) {
  std::istringstream lines(text);
  std::string all;
  for (std::string line; std::getline(lines, line);)
    all += line.substr(std::min(line.find_first_not_of(' '), line.size())) + "\n";
  return all;
}

/// Returns the C++ blocks of a Markdown page, unindented.
inline std::vector<std::string> shown_code(const std::string& page) {
  const std::string opening = "```cpp\n";
  std::vector<std::string> blocks;
  for (size_t from = page.find(opening); from != page.npos; from = page.find(opening, from)) {
    from += opening.size();
    blocks.push_back(unindented(page.substr(from, page.find("```", from) - from)));
  }
  return blocks;
}

}  // namespace inn::test
