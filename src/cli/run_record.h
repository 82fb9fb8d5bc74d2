#pragma once
// What was run: for JSON documents and reports.

#include <nlohmann/json.hpp>
#include <string>

namespace inn::cli {

/// Remembers the command line, and when it began.
void begin_run(int argc, const char* const* argv);

/// Returns {"command", "version", "torch", "started" (UTC), "seconds" (so far), "threads", "processor"}.
nlohmann::ordered_json run_record();

/// Returns "inn resample net.pt2": the command and its first argument.
std::string run_title();

}  // namespace inn::cli
