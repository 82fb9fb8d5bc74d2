#pragma once
// A network with its groups, drawn as a graph.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

struct DrawingOptions {
  /// With more calls than this, neighbouring calls of one module become one node: of the deepest modules that
  /// give no more nodes.
  int64_t most_nodes = 300;
};

/// Returns the network as a graph in Graphviz's language.
///
/// Nodes are calls: module, operator, sizes of what they give, and the tensors they read, each axis in the
/// colour of its group; edges are the tensors between calls, in the colours of their groups. Every group has
/// a colour of its own, pinned ones are grey; a legend names them, with widths and why they are pinned. Each
/// node's tooltip lists the members of groups that it reads. Calls that give no tensor are left out. Nothing
/// in a name is read as markup. Linear in the number of calls. Throws std::invalid_argument unless most_nodes
/// ≥ 1.
std::string network_dot(const AnalysedNetwork& source, const DrawingOptions& options = {});

/// Draws the graph into `path`: an image, laid out by Graphviz, or the graph itself where the path ends in
/// .dot.
///
/// The file is written atomically. Throws std::invalid_argument where the path ends in none of
/// drawing_extensions(); std::runtime_error where Graphviz is needed and missing (Debian: graphviz) or fails,
/// or the file can't be written.
void draw_network(const std::filesystem::path& path, const AnalysedNetwork& source,
                  const DrawingOptions& options = {});

/// Returns the endings of files that can be drawn: ".svg", ".png", ".pdf", ".dot".
const std::vector<std::string>& drawing_extensions();

}  // namespace inn
