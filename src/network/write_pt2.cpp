#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "inn/core/zip_archive_writer.h"
#include "inn/network/dynamic_batch.h"
#include "inn/network/files.h"
#include "pt2/aligned_experts.h"
#include "pt2/failure.h"
#include "pt2/write_graph.h"
#include "pt2/write_values.h"

namespace inn {
namespace {

using namespace pt2;

Json payload(const at::Tensor& tensor, StateEntry::Kind kind, const std::string& file) {
  return {{"path_name", file},
          {"is_param", kind == StateEntry::Kind::parameter},
          {"use_pickle", false},
          {"tensor_meta", write_tensor_meta(tensor)}};
}

/// A table of tensors by name, in their own order: Python's state_dict takes it.
class Config {
 public:
  void add(const std::string& name, const Json& payload) {
    members_ += (members_.empty() ? "" : ",") + Json(name).dump() + ":" + payload.dump();
  }
  std::string text() const { return "{\"config\":{" + members_ + "}}"; }

 private:
  std::string members_;
};

/// Writes the state into the two folders of an archive: one file a tensor, whatever names it has.
void write_state(const Network& network, ZipArchiveWriter& archive) {
  Config weights, constants;
  size_t weight_count = 0, constant_count = 0;
  for (const auto& entry : network.state) {
    const bool is_weight =
        entry.kind == StateEntry::Kind::parameter || entry.kind == StateEntry::Kind::buffer;
    const auto file =
        is_weight ? fmt::format("weight_{}", weight_count++) : fmt::format("tensor_{}", constant_count++);
    // A dense layout, such as channels last, is kept; a view of a larger storage is copied.
    at::Tensor tensor = entry.tensor.detach().cpu();
    if (!tensor.is_non_overlapping_and_dense()) tensor = tensor.contiguous();
    tensor.set_requires_grad(entry.tensor.requires_grad());
    archive.write((is_weight ? "data/weights/" : "data/constants/") + file, tensor.data_ptr(),
                  tensor.nbytes());
    auto names = entry.aliases;
    names.insert(names.begin(), entry.name);
    for (const auto& name : names)
      (is_weight ? weights : constants).add(name, payload(tensor, entry.kind, file));
  }
  archive.write("data/weights/model_weights_config.json", weights.text());
  archive.write("data/constants/model_constants_config.json", constants.text());
}

void write_archive(const Network& network, std::ostream& stream) {
  const auto program = write_program(network).dump();
  const auto samples = sample_inputs(network);
  ZipArchiveWriter archive(stream);
  write_state(network, archive);
  archive.write("models/model.json", program);
  archive.write("data/sample_inputs/model.pt", samples);
  for (const auto& [name, content] : network.extra) archive.write("extra/" + name, content);
  archive.write("archive_format", "pt2");
  archive.write("archive_version", "0");
  archive.write("byteorder", "little");
  archive.finish();
}

/// Messages call the archive `name`.
void write_named(const Network& network, const WritePt2Options& options, std::ostream& stream,
                 const std::string& name) {
  try {
    const Network& batched = options.dynamic_batch ? with_dynamic_batch(network) : network;
    const auto aligned = with_aligned_experts(batched);
    write_archive(aligned ? *aligned : batched, stream);
  } catch (const Unsupported& error) {
    raise("network", "File '{}': {}", name, error.what());
  } catch (const c10::Error& error) {
    raise<std::runtime_error>("network", "File '{}': {}", name, error.what_without_backtrace());
  } catch (const std::runtime_error& error) {
    raise<std::runtime_error>("network", "File '{}': {}", name, error.what());
  }
}

}  // namespace

void write_pt2(const Network& network, const std::filesystem::path& path, const WritePt2Options& options) {
  network.validate();
  write_atomically(path, [&](std::ostream& stream) { write_named(network, options, stream, path.string()); });
}

void write_pt2(const Network& network, std::ostream& stream, const std::string& name) {
  network.validate();
  write_named(network, {}, stream, name);
}

void write_pt2(const Network& network, const std::filesystem::path& path) { write_pt2(network, path, {}); }

}  // namespace inn
