#pragma once
// The files of src/zoo/trained, which the build puts into the library.

#include <string_view>

namespace inn::trained {

std::string_view small_cnn_archive();
std::string_view small_cnn_card();
std::string_view resnet20_archive();
std::string_view resnet20_card();
std::string_view vit_archive();
std::string_view vit_card();

}  // namespace inn::trained
