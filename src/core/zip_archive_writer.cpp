#include "inn/core/zip_archive_writer.h"

namespace inn {
namespace {

constexpr uint64_t kZipVersion = 6;  // as torch.export.save asks for

}  // namespace

ZipArchiveWriter::ZipArchiveWriter(std::ostream& stream)
    : stream_(stream),
      // Torch's writer ends the archive in its destructor, where an error would end the program: it learns of
      // none.
      writer_([this](const void* data, size_t size) {
        stream_.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
        return size;
      }) {
  writer_.setMinVersion(kZipVersion);
}

void ZipArchiveWriter::write(const std::string& record, const void* data, size_t size) {
  static const char none = 0;
  writer_.writeRecord(record, size == 0 ? &none : data, size);
  if (!stream_) throw std::runtime_error("cannot be written");
}

void ZipArchiveWriter::finish() {
  writer_.writeEndOfFile();
  if (!stream_) throw std::runtime_error("cannot be written");
}

}  // namespace inn
