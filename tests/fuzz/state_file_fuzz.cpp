// Any damage to a `file:` state: no load crashes, and what is stored then is what is loaded.
//
// An input is a byte of flags, then patches over a file with several commits: region, offset,
// count, bytes. Checksums can be mended behind them, so that what is deeper is reached.
#include "tests/support/file_store_operations.h"
#include "tests/support/must.h"
#include "tests/support/power_cut.h"
#include "tests/support/temporary_directory.h"

using namespace vtpm;

static DiskImage valid_file(const std::string& path, char key) {
  std::filesystem::remove(path);
  auto store = open_file_store(path, key, Sync::none);
  for (BlobName name : {kSubject, kOther, kSubject, kOther}) {
    must(store->store(name, blob_of("old", 25)));
  }
  return DiskImage::of(path);
}

static size_t region(size_t n) {
  return n < kHeaderCopies ? n * kHeaderCopy : kFirstSlot + (n - kHeaderCopies) * kSlotSize;
}

static void mend(DiskImage& image, size_t n) {
  auto slot = decode_slot_header(image.read(region(n), kSlotHeader));
  Bytes covered = image.read(region(n), n < kHeaderCopies ? 100 : 80);
  size_t end = slot ? header_size(*slot) - kSlotHeader1 + slot->length : 0;
  Bytes data = image.read(region(n) + kSlotHeader1, n < kHeaderCopies ? 0 : end);
  image.write(region(n) + covered.size(),
              sha256(BigEndianWriter().bytes(covered).bytes(data).take()).value());
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const TemporaryDirectory directory;
  static const std::string path = directory / "state";
  static const std::array valid = {valid_file(path, '-'), valid_file(path, 'k')};
  BigEndianReader input(std::as_bytes(std::span(data, size)));
  const uint8_t flags = input.u8();
  DiskImage image = valid.at(flags & 1);
  while (input.remaining() > 0) {
    size_t at = region(input.u8() % 6) + input.u8();
    image.write(at, input.bytes(std::min<size_t>(input.u8(), input.remaining())));
  }
  for (size_t n = 0; n < 6 && (flags & 4) != 0; ++n) {
    mend(image, n);
  }
  image.resize((flags & 8) != 0 ? flags * size_t{4096} : image.size());
  image.write_to(path);
  auto store = open_file_store(path, (flags & 2) != 0 ? 'k' : '-', Sync::none);
  for (size_t blob = 0; blob < kBlobs; ++blob) {
    static_cast<void>(store->load(blob_name(blob)));
  }
  BlobName name = blob_name(flags % kBlobs);
  bool stored = store->store(name, blob_of("new")).has_value();
  store->unlock();  // forgets what it knew
  if (stored && store->load(name).value_or(Bytes()) != blob_of("new")) {
    __builtin_trap();
  }
  return 0;
}
