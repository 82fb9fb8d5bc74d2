#pragma once
// TensorBoard event files: TensorFlow records, each a protocol-buffer Event
// (tensorflow/core/util/event.proto, tensorflow/core/lib/io/record_writer.h).

#include <string>

#include "inn/train/train.h"

namespace inn {

/// The file name in the folder of a run; a resumed run rewrites the file.
inline constexpr const char* kEventFile = "events.out.tfevents.inn";

/// The time now.
double seconds_since_1970();

/// What every file begins with: the version of the format. `time`: seconds since 1970.
std::string event_file_start(double time);

/// An epoch as one record: a scalar for each figure that it has, "loss", "accuracy", "metric",
/// "learning_rate", "seconds"; its step is the number of the epoch, from 1.
std::string event_record(const EpochRecord& record);

}  // namespace inn
