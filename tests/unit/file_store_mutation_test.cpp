// Damage of any kind, by chance: what is loaded from a damaged state was once committed, or the
// load is refused with a reason.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "engine/state/swtpm/dir_store.h"
#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/support/file_store_operations.h"
#include "tests/support/hex.h"
#include "tests/support/must.h"
#include "tests/support/power_cut.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::AnyOf;
using testing::IsEmpty;
using testing::Not;

constexpr int kMutations = 4096;

// Changes an image at places where something is; the same seed makes the same changes.
class Vandal {
 public:
  explicit Vandal(unsigned seed) : random_(seed) {}

  // One to three of them, so that what makes one good is damaged, too.
  void damage(DiskImage& image) {
    for (size_t times = 1 + below(3); times > 0; --times) {
      (this->*kWays.at(below(kWays.size())))(image);
    }
  }

 private:
  // A header's copy, or one of the four slots that are in use.
  static constexpr size_t kRegions = 6;
  static constexpr size_t kUsed = 900;  // bytes of a region that something is in

  size_t below(size_t limit) { return random_() % limit; }
  size_t region() {
    size_t which = below(kRegions);
    return which < kHeaderCopies ? which * kHeaderCopy
                                 : kFirstSlot + (which - kHeaderCopies) * kSlotSize;
  }
  // Mostly where numbers, keys and checksums are.
  size_t place() { return region() + below(below(3) == 0 ? kUsed : kStateHeaderSize); }

  void flip_a_bit(DiskImage& image) {
    size_t at = place();
    Bytes byte = image.read(at, 1);
    byte[0] ^= static_cast<std::byte>(1U << below(8));
    image.write(at, byte);
  }
  void set_a_byte(DiskImage& image) { image.write(place(), Bytes(1, std::byte(below(256)))); }
  void scribble(DiskImage& image) {
    Bytes run(1 + below(200));
    std::ranges::generate(run, [&] { return std::byte(below(256)); });
    image.write(place(), run);
  }
  void zero(DiskImage& image) { image.write(place(), Bytes(1 + below(2 * kHeaderCopy))); }
  void copy(DiskImage& image) {
    size_t from = region();
    image.write(region(), image.read(from, 1 + below(kUsed)));
  }
  void swap(DiskImage& image) {
    size_t a = region();
    size_t b = region();
    Bytes of_a = image.read(a, kUsed);
    image.write(a, image.read(b, kUsed));
    image.write(b, of_a);
  }
  void cut_off(DiskImage& image) { image.resize(std::min<uint64_t>(image.size(), place())); }
  void shift(DiskImage& image) {
    size_t at = region();
    image.write(at + 1 + below(16), image.read(at, kUsed));
  }

  static constexpr std::array kWays = {&Vandal::flip_a_bit, &Vandal::set_a_byte, &Vandal::scribble,
                                       &Vandal::zero,       &Vandal::copy,       &Vandal::swap,
                                       &Vandal::cut_off,    &Vandal::shift};
  std::mt19937 random_;
};

std::string state(const std::string& blob, int number) {
  return blob + std::to_string(number) + std::string(600, 'x');
}

class FileStoreMutation : public testing::TestWithParam<char> {
 protected:
  void SetUp() override {
    FileFaults nothing_is_slow;
    auto store = open_file_store(path_, GetParam());
    for (int number = 1; number <= 3; ++number) {
      must(store->store(kSubject, as_bytes(state("permanent", number))));
      must(store->store(kOther, as_bytes(state("volatile", number))));
    }
    intact_ = DiskImage::of(path_);
  }

  Result<Bytes> load(BlobName name) {
    FileStoreOptions options;
    options.key = test_key(GetParam());
    return FileStore::open(path_, std::move(options)).value()->load(name);
  }

  static auto was_committed(const std::string& blob) {
    return AnyOf(to_bytes(state(blob, 1)), to_bytes(state(blob, 2)), to_bytes(state(blob, 3)));
  }

  static void expect_committed_or_refused(const Result<Bytes>& loaded, const std::string& blob) {
    if (loaded) {
      EXPECT_THAT(*loaded, was_committed(blob));
      return;
    }
    EXPECT_THAT(loaded.error().message, Not(IsEmpty()));
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "state";
  DiskImage intact_;
};

INSTANTIATE_TEST_SUITE_P(Keys, FileStoreMutation, testing::Values('-', 'k'));

TEST_P(FileStoreMutation, DamagedByChance_IsWhatWasCommittedOrRefused) {
  for (unsigned seed = 0; seed < kMutations; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    DiskImage image = intact_;
    Vandal(seed).damage(image);
    image.write_to(path_);

    expect_committed_or_refused(load(kSubject), "permanent");
    expect_committed_or_refused(load(kOther), "volatile");
  }
}

// A new TPM would be made over the old one. Only a file of which nothing is left is like a new one.
TEST_P(FileStoreMutation, DamagedByChance_IsNeverNotThere) {
  for (unsigned seed = 0; seed < kMutations; ++seed) {
    DiskImage image = intact_;
    Vandal(seed).damage(image);
    image.write_to(path_);

    auto loaded = load(kSubject);

    EXPECT_TRUE(loaded || loaded.error().code != Errc::not_found || image.size() == 0)
        << "seed " << seed;
  }
}

// Either header says what is not to be missed.
TEST_P(FileStoreMutation, AHeaderAndBothSlotsDamaged_IsCorruptAndNeverNotThere) {
  for (size_t copy = 0; copy < kHeaderCopies; ++copy) {
    for (BlobName name : {kSubject, kOther}) {
      DiskImage image = intact_;
      image.write(copy * kHeaderCopy + 20, as_bytes("damage"));
      image.write(slot_offset(blob_number(name), 0) + 40, as_bytes("damage"));
      image.write(slot_offset(blob_number(name), 1) + 40, as_bytes("damage"));
      image.write_to(path_);

      EXPECT_EQ(load(name).error().code, Errc::corrupt) << "header " << copy;
    }
  }
}

// -- dir: --

// swtpm's format has lengths and no checksum: damage within the data is for libtpms to find (its
// blobs have magic numbers and lengths, too). What the store can promise: no crash, and what it
// gives has the length that the file speaks of, or a reason is told.
class DirStoreMutation : public testing::Test {
 protected:
  Bytes damaged(unsigned seed) {
    std::mt19937 random(seed);
    Bytes file = intact_;
    for (size_t times = 1 + random() % 3; times > 0; --times) {
      size_t at = random() % std::min<size_t>(file.size(), 20);
      size_t size = std::min<size_t>(1 + random() % 4, file.size() - at);
      std::generate_n(file.begin() + static_cast<ptrdiff_t>(at), size,
                      [&] { return std::byte(random() % 4 == 0 ? random() : random() % 4); });
    }
    file.resize(random() % 4 == 0 ? random() % (2 * file.size()) : file.size());
    return file;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<DirStore> store_ = DirStore::open(directory_.path(), CreateState::never).value();
  const Bytes intact_ = wrap_swtpm_blob(Bytes(600, std::byte{'x'}), nullptr).value();
};

TEST_F(DirStoreMutation, DamagedByChance_IsRefusedOrOfALengthThatFits) {
  constexpr size_t kHeader = 10;
  for (unsigned seed = 0; seed < kMutations; ++seed) {
    Bytes file = damaged(seed);
    directory_.write("tpm2-00.permall",
                     {reinterpret_cast<const char*>(file.data()), file.size()});  // NOLINT

    auto loaded = store_->load(kSubject);

    EXPECT_TRUE(loaded ? loaded->size() + kHeader <= file.size() : !loaded.error().message.empty())
        << "seed " << seed;
    EXPECT_TRUE(loaded || loaded.error().code != Errc::not_found) << "seed " << seed;
  }
}

}  // namespace
}  // namespace vtpm
