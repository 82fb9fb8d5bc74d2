#pragma once
// The normalization that a network was trained with, kept in its archive.

#include <optional>

#include "inn/data/normalization.h"
#include "inn/network/network.h"

namespace inn {

/// Returns the normalization that the network's archive records (extra/inn.json), or nothing. Throws
/// std::runtime_error where the record is damaged.
std::optional<Normalization> recorded_normalization(const Network& network);

/// Writes the normalization into the network's extra/inn.json, beside what stands there.
void record_normalization(Network& network, const Normalization& normalization);

}  // namespace inn
