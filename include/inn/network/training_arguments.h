#pragma once
// Arguments that depend on training or evaluation mode.

#include <span>
#include <string_view>

#include "inn/network/network.h"

namespace inn {

/// An argument with different values in training and evaluation mode.
struct TrainingArgument {
  /// Its two values, unless the source has others.
  enum class Kind {
    flag,         // true in training, false in evaluation
    probability,  // of dropout without flag: the source's in training, 0 in evaluation
  };
  std::string_view op;  // all its overloads
  std::string_view argument;
  Kind kind = Kind::flag;
};

/// All operators of torch with one: batch norm, dropout, recurrent layers, rrelu, attention.
std::span<const TrainingArgument> training_arguments();

/// The mode of the source of a network when its calls were recorded.
enum class SourceMode {
  training,
  evaluation,
  /// Unknown for exported programs: training if a batch norm with running statistics, or a call by a module
  /// of torch.nn, has its training value; without such calls (torch.nn.functional only), if all calls have
  /// it.
  unknown,
};

/// Records in the network's extra files which calls do not follow the mode: frozen ones (evaluation value in
/// a source in training mode), those always on (the converse), and dropout probabilities that evaluation
/// replaces by 0. Nothing is recorded if every call follows the mode; existing records are kept. The network
/// can then be set to either mode, also after writing and reading.
void keep_training_arguments(Network& network, SourceMode mode = SourceMode::unknown);

/// Sets every call to its evaluation value, including those that are always on, so that runs are
/// deterministic and comparable. The recorded modes are kept.
void turn_off_dropout(Network& network);

}  // namespace inn
