#include "child_program.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "inn/core/error.h"

extern char** environ;

namespace inn {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

/// Returns a nameless file with `content`, to be read from its start.
File temporary_file(const std::string& content) {
  File file(std::tmpfile());
  const bool written = file && std::fwrite(content.data(), 1, content.size(), file.get()) == content.size() &&
                       std::fflush(file.get()) == 0;
  require<std::runtime_error>(written, "report", "A temporary file cannot be written: {}.",
                              std::strerror(errno));
  std::rewind(file.get());
  return file;
}

std::string content_of(std::FILE* file) {
  std::string content;
  std::array<char, 1 << 14> part{};
  std::rewind(file);
  while (const size_t count = std::fread(part.data(), 1, part.size(), file))
    content.append(part.data(), count);
  return content;
}

}  // namespace

std::string run_child(const ChildProgram& program, const std::string& input) {
  // Files and not pipes: nobody waits for the other to read.
  const File given = temporary_file(input), output = temporary_file(""), errors = temporary_file("");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(given.get()), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(output.get()), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(errors.get()), STDERR_FILENO);
  std::vector<std::string> words = program.arguments;
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string& name = program.arguments.front();
  pid_t child = 0;
  const int failed = posix_spawnp(&child, name.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  require<std::runtime_error>(failed != ENOENT, "report",
                              "{} requires the program {}, which was not found; on Debian: apt install {}",
                              program.purpose, name, program.package);
  require<std::runtime_error>(failed == 0, "report", "{} cannot be started: {}.", name,
                              std::strerror(failed));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::string result = content_of(output.get());
  require<std::runtime_error>(WIFEXITED(status) && WEXITSTATUS(status) == 0 && !result.empty(), "report",
                              "{} failed: {}", name, content_of(errors.get()));
  return result;
}

}  // namespace inn
