#pragma once
// A model of any file: a plain network or an integral model.

#include <c10/core/Device.h>

#include <filesystem>
#include <vector>

#include "inn/dimension/groups.h"
#include "inn/model/integral_model.h"
#include "inn/network/network.h"

namespace inn {

/// A plain network with its groups, or an integral model.
struct AnyModel {
  AnalysedNetwork plain;  // empty where it is an integral model
  IntegralModel integral{nullptr};

  bool is_integral() const { return !integral.is_empty(); }
  /// Returns the network at its source widths, with its groups.
  AnalysedNetwork source() const;
  /// Returns a plain network at the present widths.
  Network present() const;
  void to(c10::Device device);
};

/// Returns the integral model that the network's archive holds, else the network with its groups, in
/// evaluation mode. Throws as `load_integral` and `analyse` do.
AnyModel open_model(Network network);

/// Reads a `.pt2` archive, or a TorchScript `.pt`, which needs an example of each of its inputs. Throws
/// std::invalid_argument for another file name extension and where the examples are missing, and
/// std::runtime_error for a file that can't be read.
Network read_network(const std::filesystem::path& path, const std::vector<at::Tensor>& examples = {});

/// Reads such a file and opens it.
AnyModel read_model(const std::filesystem::path& path, const std::vector<at::Tensor>& examples = {});

}  // namespace inn
