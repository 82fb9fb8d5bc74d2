#pragma once
// The arguments by which calls behave otherwise in training than in evaluation.

#include <span>
#include <string_view>

#include "inn/network/network.h"

namespace inn {

/// An argument that has one value in training mode and another in evaluation mode.
struct TrainingArgument {
  /// What the two values are, unless the source was made with others.
  enum class Kind {
    flag,         // true in training, false in evaluation
    probability,  // of dropout, where there is no flag: the source's in training, 0 in evaluation
  };
  std::string_view op;  // all its overloads
  std::string_view argument;
  Kind kind = Kind::flag;
};

/// Every operator of torch that has one: batch norm, dropout, recurrent layers, rrelu, attention.
std::span<const TrainingArgument> training_arguments();

/// Which mode the source of a network was in when its calls were recorded.
enum class SourceMode {
  training,
  evaluation,
  /// An exported program doesn't say. It was training where a batch norm with running statistics, or a call
  /// that a module of torch.nn makes, has its value of training; where there is none of these (calls by
  /// torch.nn.functional only), if all calls have it.
  unknown,
};

/// Keeps in the network's extra files which calls do not follow the mode: those frozen (their value of
/// evaluation in a source in training mode) and those always on (the other way round), and the dropout
/// probabilities that evaluation replaces by 0. Nothing is kept where every call follows the mode, and
/// what is kept already stays. So the network can be set to either mode, also after it was written and read.
void keep_training_arguments(Network& network, SourceMode mode = SourceMode::unknown);

/// Gives every call its value of evaluation, those that are always on too: no dropout draws numbers then, and
/// two runs can be compared. What is kept for the modes stays.
void turn_off_dropout(Network& network);

}  // namespace inn
