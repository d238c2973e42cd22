// What is done with a `file:` store, for tests that interrupt it at every point: the state before,
// the operation, and what may be found afterwards.
//
// States are told as a word: the one that the blob repeats over several sectors, "not there",
// "garbled", or "refused: " and the reason.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "engine/state/file/file_store.h"

namespace vtpm {

inline constexpr BlobName kSubject{TpmVersion::tpm20, BlobKind::permanent};
inline constexpr BlobName kOther{TpmVersion::tpm20, BlobKind::volatile_state};

// A blob that can be told by its word, however it was torn.
Bytes blob_of(const std::string& word, size_t times = 300);

// '-' no key, 'p' a passphrase, anything else a key made of that letter.
SealingKey test_key(char letter);

// A store that is locked, as a process has it that serves.
std::unique_ptr<FileStore> open_file_store(const std::string& path, char key,
                                           Sync sync = Sync::full);

struct FileStoreOperation {
  std::string name;
  char key = '-';
  std::function<void(const std::string& path, char key)> prepare;
  // On the object that is used then, before it is interrupted.
  std::function<void(FileStore&)> warm_up = [](FileStore&) {};
  std::function<Result<void>(FileStore&)> run;
  std::string before;  // how the word of the subject's state begins
  std::string after;   // the subject's afterwards
  std::string other;   // of the other blob, which nothing touches
  char key_after = key;
  // The last calls, which fail at no cost: they fill the other slot so that it has its space.
  size_t reserving_calls = 0;

  friend std::ostream& operator<<(std::ostream& out, const FileStoreOperation& operation) {
    return out << operation.name;
  }
};

// Everything that writes; without a key, with one, and with a passphrase where that costs little.
std::vector<FileStoreOperation> file_store_operations();

// What a new process finds that tries the key from before and then the one from afterwards.
std::string find_in_file(const std::string& path, const FileStoreOperation& operation,
                         BlobName name);

}  // namespace vtpm
