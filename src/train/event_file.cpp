#include "event_file.h"

#include <bit>
#include <boost/crc.hpp>
#include <chrono>
#include <protozero/pbf_writer.hpp>

#include "checkpoint.h"

namespace inn {
namespace {

// Numbers of the fields of Event, Summary and Summary.Value.
constexpr protozero::pbf_tag_type kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5;
constexpr protozero::pbf_tag_type kValue = 1;
constexpr protozero::pbf_tag_type kTag = 1, kSimpleValue = 2;

/// An integer as its bytes, the lowest first.
template <class Integer>
std::string bytes_of(Integer value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(Integer); ++i) bytes += static_cast<char>(value >> 8 * i & 0xff);
  return bytes;
}

/// The checksum of a record: CRC-32C, turned and shifted, so that the checksum of a checksum is no constant.
std::string checksum(const std::string& bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return bytes_of(std::rotr(static_cast<uint32_t>(crc.checksum()), 15) + 0xa282ead8U);
}

std::string framed(const std::string& event) {
  const auto length = bytes_of(static_cast<uint64_t>(event.size()));
  return length + checksum(length) + event + checksum(event);
}

}  // namespace

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string event_file_start(double time) {
  std::string event;
  protozero::pbf_writer writer(event);
  writer.add_double(kWallTime, time);
  writer.add_string(kFileVersion, "brain.Event:2");
  return framed(event);
}

std::string event_record(const EpochRecord& record) {
  std::string event;
  protozero::pbf_writer writer(event);
  writer.add_double(kWallTime, record.time);
  writer.add_int64(kStep, record.epoch + 1);
  {
    protozero::pbf_writer summary(writer, kSummary);
    for (const auto& [name, figure] : figures(record)) {
      protozero::pbf_writer value(summary, kValue);
      value.add_string(kTag, name);
      value.add_float(kSimpleValue, static_cast<float>(figure));
    }
  }
  return framed(event);
}

}  // namespace inn
