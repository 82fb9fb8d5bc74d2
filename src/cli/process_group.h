#pragma once
// The processes that torchrun started, which share the work of a command.

#include <memory>

namespace inn::cli {

/// The process group of this process, for as long as it lives; none where there is one process only.
class ProcessGroup {
 public:
  /// Joins the processes that the environment names as torchrun sets it (WORLD_SIZE, RANK, MASTER_ADDR,
  /// MASTER_PORT), and sets `ranks()`. Throws std::runtime_error if the environment is incomplete, or the
  /// others cannot be reached.
  ProcessGroup();
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

 private:
  std::shared_ptr<void> group_;  // c10d's registry does not keep it
};

}  // namespace inn::cli
