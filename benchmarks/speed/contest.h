#pragma once
// Times of several ways of doing one thing, measured side by side.

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

namespace inn::bench {

/// One way of doing what a case is about.
struct Contender {
  std::string name;
  std::function<void()> run;
  /// What is done before each run and not timed.
  std::function<void()> prepare = {};
};

struct ContestOptions {
  double seconds = 20;  // how long all rounds together may take, but for the least count
  int64_t least_rounds = 5;
  int64_t warm_up_rounds = 2;
};

/// Runs all contenders once a round, in turn, so that what else the machine does touches all alike.
///
/// Returns {"case", "rounds", "contenders": [{"name", "median_ms", "p10_ms", "p90_ms", "ratio", "ratio_p10",
/// "ratio_p90"}]}: ratios are those of a round's time to that of the first contender in the same round.
nlohmann::ordered_json contest(const std::string& what, const std::vector<Contender>& contenders,
                               const ContestOptions& options = {});

/// Returns the highest number of bytes that torch's CPU allocator had given out at once while `run` ran,
/// above what it had given out before.
int64_t peak_bytes(const std::function<void()>& run);

/// A benchmark program: `main` calls it. Prints {"benchmark", "torch", "threads", "cases"} on stdout,
/// progress on stderr. Arguments: `--only TEXT` (cases whose name holds it), `--seconds S`.
struct Case {
  std::string name;
  std::function<nlohmann::ordered_json(const std::string& name, const ContestOptions&)> run;
};
int run_cases(const std::string& benchmark, const std::vector<Case>& cases, int argc, char** argv);

}  // namespace inn::bench
