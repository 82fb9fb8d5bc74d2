#pragma once
// Running the program and seeing what it says.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "temporary_folder.h"

namespace inn {

inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return std::move(content).str();
}

/// What a run of the program said.
struct ProgramRun {
  int code;
  std::string out, err;

  /// The document without "run", whose times differ from run to run.
  nlohmann::json json() const {
    auto document = nlohmann::json::parse(out);
    document.erase("run");
    return document;
  }
};

/// A folder for one test, in which the program runs.
class ScratchFolder : public TemporaryFolder {
 public:
  /// Runs `inn ARGUMENTS` by the shell, in this folder.
  ProgramRun run(const std::string& arguments) const {
    const auto out = path() / ".stdout", err = path() / ".stderr";
    const std::string command = "cd '" + path().string() + "' && '" + INN_PROGRAM + "' " + arguments + " >'" +
                                out.string() + "' 2>'" + err.string() + "' </dev/null";
    const int status = std::system(command.c_str());
    ProgramRun run{WIFEXITED(status) ? WEXITSTATUS(status) : -1, content_of(out), content_of(err)};
    std::filesystem::remove(out);
    std::filesystem::remove(err);
    return run;
  }

  /// Runs `inn` and sends it Ctrl-C as soon as `file` is there.
  ProgramRun run_until(const std::vector<std::string>& arguments, const std::string& file) const {
    const auto err = path() / ".stderr";
    const pid_t child = fork();
    if (child == 0) {
      std::vector<char*> words{const_cast<char*>(INN_PROGRAM)};
      for (const auto& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
      words.push_back(nullptr);
      const bool ready = chdir(path().c_str()) == 0 && std::freopen(err.c_str(), "w", stderr) != nullptr;
      if (ready) execv(INN_PROGRAM, words.data());
      _exit(127);
    }
    int status = 0;
    while (!std::filesystem::exists(path() / file) && waitpid(child, &status, WNOHANG) == 0) usleep(1000);
    kill(child, SIGINT);
    waitpid(child, &status, 0);
    ProgramRun run{WIFEXITED(status) ? WEXITSTATUS(status) : -1, "", content_of(err)};
    std::filesystem::remove(err);
    return run;
  }

  /// The names of the files in it.
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path()))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
};

/// Writes a small data set as IDX files: `count` grey images of side × side, whose class is the third of the
/// image that is bright. Learnable, and the same every time.
inline void write_idx_folder(const std::filesystem::path& folder, int count, int side) {
  std::filesystem::create_directories(folder);
  const auto number = [](uint32_t value) {
    return std::string{static_cast<char>(value >> 24), static_cast<char>(value >> 16),
                       static_cast<char>(value >> 8), static_cast<char>(value)};
  };
  for (const std::string split : {"train", "t10k"}) {
    std::string images = number(0x803) + number(count) + number(side) + number(side);
    std::string labels = number(0x801) + number(count);
    for (int i = 0; i < count; ++i) {
      const int label = i % 3;
      labels += static_cast<char>(label);
      for (int row = 0; row < side; ++row)
        for (int column = 0; column < side; ++column)
          images +=
              static_cast<char>((row * 3 / side == label ? 200 : 20) + (i * 31 + row * 7 + column * 3) % 40);
    }
    std::ofstream(folder / (split + "-images-idx3-ubyte"), std::ios::binary) << images;
    std::ofstream(folder / (split + "-labels-idx1-ubyte"), std::ios::binary) << labels;
  }
}

}  // namespace inn
