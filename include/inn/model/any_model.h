#pragma once
// A model from any file: an ordinary network or an integral model.

#include <c10/core/Device.h>

#include <filesystem>
#include <vector>

#include "inn/core/zip_archive.h"
#include "inn/dimension/groups.h"
#include "inn/model/integral_model.h"
#include "inn/network/network.h"

namespace inn {

/// A plain network with its groups, or an integral model.
struct AnyModel {
  AnalysedNetwork plain;  // empty for an integral model
  IntegralModel integral{nullptr};

  bool is_integral() const { return !integral.is_empty(); }
  /// Returns the network at its source widths, with its groups.
  const AnalysedNetwork& source() const;
  /// Returns an ordinary network at the current widths.
  Network present() const;
  void to(c10::Device device);
};

/// Returns the integral model contained in the network's archive, else the network with its groups, in
/// evaluation mode. Throws as `load_integral` and `analyse` do.
AnyModel open_model(Network network, const RuleTable& rules = RuleTable::standard());

/// Reads a `.pt2` archive, an ONNX model, or a TorchScript `.pt`, which needs an example of each of its inputs, as an ONNX model of
/// open sizes does. Throws
/// std::invalid_argument for other file name extensions and missing examples, and std::runtime_error if the
/// file cannot be read.
Network read_network(const std::filesystem::path& path, const std::vector<at::Tensor>& examples = {},
                     FileBytes bytes = FileBytes::read);

/// Reads such a file and opens it.
AnyModel read_model(const std::filesystem::path& path, const std::vector<at::Tensor>& examples = {},
                    const RuleTable& rules = RuleTable::standard());

}  // namespace inn
