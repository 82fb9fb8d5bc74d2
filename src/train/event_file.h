#pragma once
// Files of events as TensorBoard reads them: records of TensorFlow's framing, each an Event of protocol
// buffers (tensorflow/core/util/event.proto, tensorflow/core/lib/io/record_writer.h).

#include <string>

#include "inn/train/train.h"

namespace inn {

/// The name of the file of a run in its folder. One name for all: a run that goes on writes its file anew.
inline constexpr const char* kEventFile = "events.out.tfevents.inn";

/// The time now.
double seconds_since_1970();

/// What every file begins with: the version of the format. `time`: seconds since 1970.
std::string event_file_start(double time);

/// An epoch as one record: a scalar for each figure that it has, "loss", "accuracy", "metric",
/// "learning_rate", "seconds"; its step is the number of the epoch, from 1, as it is told on the terminal.
std::string event_record(const EpochRecord& record);

}  // namespace inn
