#include "run_record.h"

#include <ATen/Parallel.h>
#include <torch/version.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <vector>

namespace inn::cli {
namespace {

struct Run {
  std::vector<std::string> words;
  std::chrono::system_clock::time_point started;
};

Run& of_process() {
  static Run run;
  return run;
}

/// A word as a shell takes it.
std::string quoted(const std::string& word) {
  constexpr const char* kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./=:,+-@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

}  // namespace

void begin_run(int argc, const char* const* argv) {
  auto& run = of_process();
  run.words.assign(argv + 1, argv + argc);
  run.started = std::chrono::system_clock::now();
}

nlohmann::ordered_json run_record() {
  const auto& run = of_process();
  std::string command = "inn";
  for (const auto& word : run.words) command += " " + quoted(word);
  const auto started = std::chrono::system_clock::to_time_t(run.started);
  char utc[32] = "";
  std::tm parts{};
  std::strftime(utc, sizeof(utc), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&started, &parts));
  const std::chrono::duration<double> seconds = std::chrono::system_clock::now() - run.started;
  return {{"command", command},          {"version", INN_VERSION},     {"torch", TORCH_VERSION},
          {"started", std::string(utc)}, {"seconds", seconds.count()}, {"threads", at::get_num_threads()},
          {"processor", processor()}};
}

std::string run_title() {
  const auto& words = of_process().words;
  std::string title = "inn";
  for (size_t i = 0; i < words.size() && i < 2; ++i)
    if (!words[i].starts_with("-")) title += " " + words[i];
  return title;
}

}  // namespace inn::cli
