#pragma once
// The normalization that a network was trained with, kept in its archive.

#include <optional>

#include "inn/data/normalization.h"
#include "inn/network/network.h"

namespace inn {

/// Returns the normalization recorded in the network's archive (extra/inn.json), or nothing. Throws
/// std::runtime_error if the record is corrupt.
std::optional<Normalization> recorded_normalization(const Network& network);

/// Writes the normalization into the network's extra/inn.json and keeps its other entries.
void record_normalization(Network& network, const Normalization& normalization);

}  // namespace inn
