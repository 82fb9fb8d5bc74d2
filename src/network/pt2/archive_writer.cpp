#include "archive_writer.h"

namespace inn::pt2 {
namespace {

constexpr uint64_t kZipVersion = 6;  // as torch.export.save asks for

}  // namespace

ArchiveWriter::ArchiveWriter(const std::filesystem::path& path)
    : file_(path),
      // Torch's writer ends the archive in its destructor, where an error would end the program: it learns of
      // none.
      writer_([this](const void* data, size_t size) {
        file_.write(data, size);
        return size;
      }) {
  writer_.setMinVersion(kZipVersion);
}

void ArchiveWriter::write(const std::string& record, const void* data, size_t size) {
  static const char none = 0;
  writer_.writeRecord(record, size == 0 ? &none : data, size);
  file_.check();
}

void ArchiveWriter::finish() {
  writer_.writeEndOfFile();
  file_.finish();
}

}  // namespace inn::pt2
