#pragma once
// The tensors of an archive.

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "inn/core/zip_archive.h"
#include "json.h"

namespace inn::pt2 {

/// A tensor that an archive holds. Tensors with equal `identity` are one tensor under several names.
struct HeldTensor {
  at::Tensor tensor;
  std::string identity;
};

/// Reads tensors on demand by their names in one of the archive's two configurations.
class TensorFolder {
 public:
  /// `folder` is "data/weights/" or "data/constants/"; `config` a record in it.
  TensorFolder(const ZipArchive& archive, std::string folder, const std::string& config);

  /// Throws std::runtime_error naming the tensor where its sizes, strides and offset do not lie within its
  /// record.
  HeldTensor read(const std::string& name);

 private:
  const ZipArchive& archive_;
  std::string folder_;
  Json config_;
};

}  // namespace inn::pt2
