#pragma once
// Archives taken apart and put together again, for tests of what a reader refuses.

#include <caffe2/serialize/inline_container.h>

#include <filesystem>
#include <map>
#include <string>

namespace inn {

using Records = std::map<std::string, std::string>;

inline Records records_of(const std::filesystem::path& path) {
  caffe2::serialize::PyTorchStreamReader reader(path.string());
  Records records;
  for (const auto& name : reader.getAllRecords()) {
    const auto [data, size] = reader.getRecord(name);
    records[name] = {static_cast<const char*>(data.get()), size};
  }
  return records;
}

inline void write_records(const Records& records, const std::filesystem::path& path) {
  caffe2::serialize::PyTorchStreamWriter writer(path.string());
  for (const auto& [name, content] : records)
    if (!name.starts_with(".data/")) writer.writeRecord(name, content.data(), content.size());
  writer.writeEndOfFile();
}

}  // namespace inn
