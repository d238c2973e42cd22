#include "tests/support/file_store_operations.h"

#include <fstream>

#include "tests/support/must.h"

namespace vtpm {
namespace {

using Prepare = std::function<void(const std::string&, char)>;

// Today's cost of a passphrase is meant to be felt; a file says what its own is.
void begin_with_cheap_passphrase(const std::string& path) {
  SealParameters parameters = new_seal_parameters(KeyKind::passphrase).value();
  parameters.cost = {.log2_n = 4, .r = 8, .p = 1};
  Seal seal = Seal::derive(test_key('p'), parameters).value();
  Bytes file(kStateFileSize);
  for (size_t copy = 0; copy < kHeaderCopies; ++copy) {
    StateFileHeader header{.revision = copy + 1, .epoch = 7, .seal = parameters};
    std::ranges::copy(encode_header(header, seal).value(),
                      file.begin() + static_cast<ptrdiff_t>(copy * kHeaderCopy));
  }
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()),  // NOLINT
             static_cast<std::streamsize>(file.size()));
}

void begin(const std::string& path, char key) {
  if (key == 'p') {
    begin_with_cheap_passphrase(path);
  }
}

void store(FileStore& store, BlobName name, const std::string& word) {
  must(store.store(name, blob_of(word)));
}

Prepare with(const std::string& subject) {
  return [=](const std::string& path, char key) {
    begin(path, key);
    auto file = open_file_store(path, key);
    store(*file, kOther, "other");
    store(*file, kSubject, "older");
    store(*file, kSubject, subject);
  };
}

void only_the_other(const std::string& path, char key) {
  begin(path, key);
  store(*open_file_store(path, key), kOther, "other");
}

void damaged_headers(const std::string& path, char key) {
  with("old")(path, key);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (size_t copy = 0; copy < kHeaderCopies; ++copy) {
    file.seekp(static_cast<std::streamoff>(copy * kHeaderCopy + 20));
    file << "damage";
  }
}

void sealed_by_somebody_else(const std::string& path, char /*key*/) {
  with("old")(path, 'e');
}

std::function<Result<void>(FileStore&)> storing(const std::string& word, size_t times = 300) {
  return [=](FileStore& store) { return store.store(kSubject, blob_of(word, times)); };
}

std::vector<FileStoreOperation> operations_with(char key, const std::string& suffix) {
  return {
      {.name = "Store" + suffix,
       .key = key,
       .prepare = with("old"),
       .run = storing("new"),
       .before = "old",
       .after = "new",
       .other = "other"},
      {.name = "SteadyStore" + suffix,
       .key = key,
       .prepare = with("older"),
       .warm_up = [](FileStore& file) { store(file, kSubject, "old"); },
       .run = storing("new"),
       .before = "old",
       .after = "new",
       .other = "other"},
      {.name = "GrowingStore" + suffix,
       .key = key,
       .prepare = with("old"),
       .run = storing("new", 5000),
       .before = "old",
       .after = "new",
       .other = "other"},
      {.name = "FirstStoreOfABlob" + suffix,
       .key = key,
       .prepare = only_the_other,
       .run = storing("new"),
       .before = "not there",
       .after = "new",
       .other = "other",
       .key_after = key,
       .reserving_calls = 2},
      {.name = "Remove" + suffix,
       .key = key,
       .prepare = with("old"),
       .run = [](FileStore& store) { return store.remove(kSubject); },
       .before = "old",
       .after = "not there",
       .other = "other"},
  };
}

FileStoreOperation first_store(char key, const std::string& suffix) {
  return {.name = "StoreIntoANewFile" + suffix,
          .key = key,
          .prepare = [](const std::string&, char) {},
          .run = storing("new"),
          .before = "not there",
          .after = "new",
          .other = "not there",
          .key_after = key,
          .reserving_calls = 2};
}

FileStoreOperation replacing(const std::string& what, char key, const Prepare& prepare) {
  return {.name = "StoreInPlaceOf" + what,
          .key = key,
          .prepare = prepare,
          .run = storing("new"),
          .before = "refused: ",
          .after = "new",
          .other = "not there"};
}

FileStoreOperation rekeying(const std::string& name, char from, char to) {
  return {.name = "Rekey" + name,
          .key = from,
          .prepare = with("old"),
          .run = [to](FileStore& store) { return store.rekey(test_key(to)); },
          .before = "old",
          .after = "old",
          .other = "other",
          .key_after = to};
}

std::string in_words(const Result<Bytes>& loaded) {
  if (!loaded) {
    bool missing = loaded.error().code == Errc::not_found;
    return missing ? "not there" : "refused: " + loaded.error().message;
  }
  std::string text(reinterpret_cast<const char*>(loaded->data()), loaded->size());  // NOLINT
  std::string word = text.substr(0, text.find(' '));
  return *loaded == blob_of(word, text.size() / (word.size() + 1)) ? word : "garbled";
}

}  // namespace

Bytes blob_of(const std::string& word, size_t times) {
  BigEndianWriter text;
  for (size_t i = 0; i < times; ++i) {
    text.bytes(as_bytes(word)).u8(' ');
  }
  return text.take();
}

SealingKey test_key(char letter) {
  switch (letter) {
    case '-':
      return {};
    case 'p':
      return {KeyKind::passphrase, Secret(as_bytes("several words"))};
    default:
      return {KeyKind::raw, Secret(Bytes(32, static_cast<std::byte>(letter)))};
  }
}

std::unique_ptr<FileStore> open_file_store(const std::string& path, char key, Sync sync) {
  FileStoreOptions options;
  options.sync = sync;
  options.key = test_key(key);
  auto store = FileStore::open(path, std::move(options)).value();
  must(store->lock());
  return store;
}

std::vector<FileStoreOperation> file_store_operations() {
  std::vector<FileStoreOperation> all = {
      first_store('-', ""),
      first_store('k', "Sealed"),
      replacing("DamagedHeaders", '-', damaged_headers),
      replacing("DamagedHeadersSealed", 'k', damaged_headers),
      replacing("SomebodyElses", 'k', sealed_by_somebody_else),
      rekeying("ToAKey", '-', 'k'),
      rekeying("ToAnotherKey", 'k', 'x'),
      rekeying("ToNoKey", 'k', '-'),
      rekeying("FromAPassphrase", 'p', 'k'),
  };
  for (auto [key, suffix] : {std::pair{'-', ""}, {'k', "Sealed"}, {'p', "SealedByPassphrase"}}) {
    std::ranges::move(operations_with(key, suffix), std::back_inserter(all));
  }
  return all;
}

std::string find_in_file(const std::string& path, const FileStoreOperation& operation,
                         BlobName name) {
  std::string found;
  for (char key : {operation.key, operation.key_after}) {
    FileStoreOptions options;
    options.key = test_key(key);
    auto loaded = FileStore::open(path, std::move(options)).value()->load(name);
    found = in_words(loaded);
    if (loaded || loaded.error().code != Errc::denied) {
      break;
    }
  }
  return found;
}

}  // namespace vtpm
