// A state blob on its way through one open file, in pieces: by ioctl, or after the first ioctl by
// read() or write(), as swtpm's interface has it.
//
// One transfer at a time per open file; whatever else is asked on that file ends it, and with the
// file it is forgotten. A blob that is given has at most kLargestBlob bytes. One that was begun and
// ended before it was whole is remembered as cut short, by its kind, until one of that kind is
// given whole: who gives a state and powers on means that state.
//
// Ownership: belongs to the open file. Threads: any; one lock, held briefly.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "ctl/control/state_blob.h"
#include "engine/base/bytes.h"
#include "engine/base/mutex.h"
#include "engine/base/tpm_types.h"

namespace vtpm {

enum class TransferState {
  idle,     // read() and write() are commands and responses
  getting,  // read() goes on with the blob
  setting,  // pieces by ioctl are being collected
  writing,  // write() goes on with the blob
};

// What a transfer is at one moment, as a plain value.
struct Transfer {
  TransferState state = TransferState::idle;
  BlobKind kind = BlobKind::permanent;  // of the blob; of the last one when idle
  std::set<BlobKind> cut_short;
  StateBlob blob;
  bool encrypted = false;  // with the file key
  size_t offset = 0;       // of the next read()
  friend bool operator==(const Transfer&, const Transfer&) = default;
};

class BlobTransfer {
 public:
  BlobTransfer() = default;
  // That goes on with what another one was.
  explicit BlobTransfer(Transfer transfer) : now_(std::move(transfer)) {}
  BlobTransfer(const BlobTransfer&) = delete;
  BlobTransfer& operator=(const BlobTransfer&) = delete;

  // Several times what a TPM has.
  static constexpr size_t kLargestBlob = size_t{512} * 1024;

  using State = TransferState;
  [[nodiscard]] State state() const;
  [[nodiscard]] Transfer copy() const;
  void abandon();
  // Whether a blob that was begun on this file is not whole: it is being given, or was cut short.
  [[nodiscard]] bool lacks_a_rest() const;
  // As if none had ever been begun.
  void start_over();

  // -- Out --

  // `encrypted` is told with every piece: whether the blob has the file key's encryption.
  void begin_get(BlobKind kind, StateBlob blob, bool encrypted = false);
  // Whether a blob of that kind is under way.
  [[nodiscard]] bool gives(BlobKind kind) const;
  struct Piece {
    WipedBytes bytes;
    size_t total;    // of the whole blob
    bool encrypted;  // with the file key
  };
  // At most `size` bytes from `offset` on; read() goes on behind them. The last ones end the
  // transfer. Nothing when no blob of that kind is under way: another request on the open file may
  // have ended it at any moment.
  std::optional<Piece> piece(BlobKind kind, size_t offset, size_t size);
  // The next bytes for read(). Asking for more than is left ends the transfer.
  WipedBytes read(size_t size);

  // -- In --

  // Opens the transfer for write(), or for further pieces.
  void begin_set(BlobKind kind, bool by_write);
  // Whether pieces of that kind are being collected.
  [[nodiscard]] bool collects(BlobKind kind) const;
  // False, and the transfer is over, when the blob becomes too large.
  bool append(ByteView piece);
  // All that was collected, which is the whole blob; ends the transfer.
  StateBlob finish_set();

 private:
  void forget() VTPM_REQUIRES(mutex_);
  void cut_short() VTPM_REQUIRES(mutex_);
  [[nodiscard]] bool is_given_in_part() const VTPM_REQUIRES(mutex_);

  mutable Mutex mutex_;
  Transfer now_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
