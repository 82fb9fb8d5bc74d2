#include "process_group.h"

#include <charconv>
#include <cstdlib>
#include <string>

#include "inn/core/error.h"
#include "inn/core/ranks.h"

#ifdef INN_HAS_GLOO
#include <torch/csrc/distributed/c10d/GroupRegistry.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

namespace inn::cli {
namespace {

constexpr const char* kGroup = "inn";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  require<std::runtime_error>(value != nullptr, "cli",
                              "WORLD_SIZE is set but {} is not. Start the program with torchrun.", name);
  return value;
}

int number_of(const char* name) {
  const std::string text = environment(name);
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  require<std::runtime_error>(error == std::errc() && end == text.data() + text.size() && number >= 0, "cli",
                              "{} must be a number but is '{}'.", name, text);
  return number;
}

#ifdef INN_HAS_GLOO

std::shared_ptr<void> join(int rank, int size) {
  // torchrun's agent may have the store already, one for all restarts.
  const char* of_agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  const bool has_store = of_agent != nullptr && std::string(of_agent) == "True";
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(number_of("MASTER_PORT"));
  options.isServer = rank == 0 && !has_store;
  options.waitWorkers = false;
  const char* restarts = std::getenv("TORCHELASTIC_RESTART_COUNT");
  const auto store = c10::make_intrusive<c10d::PrefixStore>(
      std::string("inn/") + (restarts ? restarts : "0"),
      c10::make_intrusive<c10d::TCPStore>(environment("MASTER_ADDR"), options));
  const auto gloo = c10d::ProcessGroupGloo::Options::create();
  gloo->devices.push_back(c10d::ProcessGroupGloo::createDefaultDevice());
  auto group = c10::make_intrusive<c10d::ProcessGroup>(store, rank, size);
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO,
                    c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, gloo));
  group->setGroupName(kGroup);
  c10d::register_process_group(kGroup, group);
  return std::make_shared<decltype(group)>(std::move(group));
}

void leave() { c10d::unregister_process_group(kGroup); }

#else

std::shared_ptr<void> join(int, int size) {
  raise<std::runtime_error>(
      "cli", "WORLD_SIZE is {}, but this program was built without Gloo (Debian: libgloo-dev).", size);
}

void leave() {}

#endif

}  // namespace

ProcessGroup::ProcessGroup() {
  if (std::getenv("WORLD_SIZE") == nullptr) return;
  const int size = number_of("WORLD_SIZE");
  if (size <= 1) return;
  const int rank = number_of("RANK");
  group_ = join(rank, size);
  set_ranks({rank, size, kGroup});
}

ProcessGroup::~ProcessGroup() {
  if (!group_) return;
  set_ranks({});
  leave();
}

}  // namespace inn::cli
