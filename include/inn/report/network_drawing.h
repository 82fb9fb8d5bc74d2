#pragma once
// A network with its groups, drawn as a graph.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

struct DrawingOptions {
  /// With more calls than this, neighboring calls of a module are merged into one node, at the deepest level
  /// of modules that does not exceed it.
  int64_t most_nodes = 300;
};

/// Returns the network as a graph in Graphviz's language.
///
/// Nodes are calls: module, operator, sizes of results, and state tensors, with each axis in the color of its
/// group; edges are the tensors between calls, in the colors of their groups. Every group has its own color
/// and pinned groups are gray; a legend lists them with widths and reasons. Each node's tooltip lists the
/// members of groups that it uses. Calls without tensor results are omitted. Names are escaped. Linear in the
/// number of calls. Throws std::invalid_argument unless most_nodes ≥ 1.
std::string network_dot(const AnalysedNetwork& source, const DrawingOptions& options = {});

/// Draws the graph to `path`: an image, laid out by Graphviz, or the graph itself if the path ends in .dot.
///
/// The file is written atomically. Throws std::invalid_argument for other extensions than
/// drawing_extensions(); std::runtime_error if Graphviz is required but missing (Debian: graphviz) or fails,
/// or if the file cannot be written.
void draw_network(const std::filesystem::path& path, const AnalysedNetwork& source,
                  const DrawingOptions& options = {});

/// Returns the drawing as SVG. Throws std::runtime_error if Graphviz is missing or fails.
std::string network_svg(const AnalysedNetwork& source, const DrawingOptions& options = {});

/// Returns the supported file extensions: ".svg", ".png", ".pdf", ".dot".
const std::vector<std::string>& drawing_extensions();

}  // namespace inn
