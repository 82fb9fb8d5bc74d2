#pragma once
// The processes that torchrun started, which share the work of a command.

#include <memory>
#include <optional>

namespace inn::cli {

/// The process group of this process, for as long as it lives.
class ProcessGroup {
 public:
  struct Held;
  explicit ProcessGroup(std::shared_ptr<Held> held);
  ~ProcessGroup();
  ProcessGroup(ProcessGroup&&) noexcept = default;
  ProcessGroup& operator=(ProcessGroup&&) = delete;

 private:
  std::shared_ptr<Held> held_;
};

/// Joins the processes that the environment names as torchrun sets it (WORLD_SIZE, RANK, MASTER_ADDR, MASTER_PORT), and
/// sets `ranks()`; nothing with one process. Throws std::runtime_error if the environment is incomplete, or the others
/// cannot be reached.
std::optional<ProcessGroup> join_process_group();

}  // namespace inn::cli
