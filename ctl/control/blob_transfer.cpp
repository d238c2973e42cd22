#include "ctl/control/blob_transfer.h"

#include <algorithm>

namespace vtpm {

BlobTransfer::State BlobTransfer::state() const {
  MutexLock lock(mutex_);
  return now_.state;
}

Transfer BlobTransfer::copy() const {
  MutexLock lock(mutex_);
  return {now_.state, now_.kind, now_.cut_short, now_.blob.copy(), now_.encrypted, now_.offset};
}

void BlobTransfer::abandon() {
  MutexLock lock(mutex_);
  cut_short();
}

void BlobTransfer::cut_short() {
  if (is_given_in_part()) {
    now_.cut_short.insert(now_.kind);
  }
  forget();
}

bool BlobTransfer::lacks_a_rest() const {
  MutexLock lock(mutex_);
  return is_given_in_part() || !now_.cut_short.empty();
}

// One opened for write() without a byte is nothing: hypervisors give a blob that they lack that
// way.
bool BlobTransfer::is_given_in_part() const {
  return (now_.state == State::setting || now_.state == State::writing) && !now_.blob.empty();
}

void BlobTransfer::start_over() {
  MutexLock lock(mutex_);
  now_.cut_short.clear();
  forget();
}

void BlobTransfer::forget() {
  now_.blob.wipe();
  now_.offset = 0;
  now_.state = State::idle;
}

void BlobTransfer::begin_get(BlobKind kind, StateBlob blob, bool encrypted) {
  MutexLock lock(mutex_);
  cut_short();
  now_.state = State::getting;
  now_.kind = kind;
  now_.blob = std::move(blob);
  now_.encrypted = encrypted;
}

bool BlobTransfer::gives(BlobKind kind) const {
  MutexLock lock(mutex_);
  return now_.state == State::getting && now_.kind == kind;
}

std::optional<BlobTransfer::Piece> BlobTransfer::piece(BlobKind kind, size_t offset, size_t size) {
  MutexLock lock(mutex_);
  if (now_.state != State::getting || now_.kind != kind) {
    return std::nullopt;
  }
  now_.offset = std::min(offset, now_.blob.size());
  auto from = now_.blob.view().subspan(now_.offset, std::min(size, now_.blob.size() - now_.offset));
  Piece piece{WipedBytes(Bytes(from.begin(), from.end())), now_.blob.size(), now_.encrypted};
  now_.offset += from.size();
  if (now_.offset == now_.blob.size()) {
    forget();
  }
  return piece;
}

WipedBytes BlobTransfer::read(size_t size) {
  MutexLock lock(mutex_);
  size_t left = now_.blob.size() - now_.offset;
  auto from = now_.blob.view().subspan(now_.offset, std::min(size, left));
  WipedBytes bytes(Bytes(from.begin(), from.end()));
  now_.offset += from.size();
  if (size > left) {
    forget();
  }
  return bytes;
}

void BlobTransfer::begin_set(BlobKind kind, bool by_write) {
  MutexLock lock(mutex_);
  cut_short();
  now_.state = by_write ? State::writing : State::setting;
  now_.kind = kind;
}

bool BlobTransfer::collects(BlobKind kind) const {
  MutexLock lock(mutex_);
  return (now_.state == State::setting || now_.state == State::writing) && now_.kind == kind;
}

bool BlobTransfer::append(ByteView piece) {
  MutexLock lock(mutex_);
  if (piece.size() > kLargestBlob - now_.blob.size()) {
    forget();
    return false;
  }
  now_.blob.append(piece);
  return true;
}

StateBlob BlobTransfer::finish_set() {
  MutexLock lock(mutex_);
  StateBlob blob = std::move(now_.blob);
  now_.cut_short.erase(now_.kind);
  forget();
  return blob;
}

}  // namespace vtpm
