#include "ctl/control/blob_transfer.h"

#include <algorithm>

namespace vtpm {

BlobTransfer::State BlobTransfer::state() const {
  MutexLock lock(mutex_);
  return state_;
}

void BlobTransfer::abandon() {
  MutexLock lock(mutex_);
  cut_short();
}

void BlobTransfer::cut_short() {
  if (is_given_in_part()) {
    cut_short_.insert(kind_);
  }
  forget();
}

bool BlobTransfer::lacks_a_rest() const {
  MutexLock lock(mutex_);
  return is_given_in_part() || !cut_short_.empty();
}

// One opened for write() without a byte is nothing: hypervisors give a blob that they lack that
// way.
bool BlobTransfer::is_given_in_part() const {
  return (state_ == State::setting || state_ == State::writing) && !blob_.empty();
}

void BlobTransfer::start_over() {
  MutexLock lock(mutex_);
  cut_short_.clear();
  forget();
}

void BlobTransfer::forget() {
  blob_.wipe();
  offset_ = 0;
  state_ = State::idle;
}

void BlobTransfer::begin_get(BlobKind kind, StateBlob blob, bool encrypted) {
  MutexLock lock(mutex_);
  cut_short();
  state_ = State::getting;
  kind_ = kind;
  blob_ = std::move(blob);
  encrypted_ = encrypted;
}

bool BlobTransfer::gives(BlobKind kind) const {
  MutexLock lock(mutex_);
  return state_ == State::getting && kind_ == kind;
}

std::optional<BlobTransfer::Piece> BlobTransfer::piece(BlobKind kind, size_t offset, size_t size) {
  MutexLock lock(mutex_);
  if (state_ != State::getting || kind_ != kind) {
    return std::nullopt;
  }
  offset_ = std::min(offset, blob_.size());
  auto from = blob_.view().subspan(offset_, std::min(size, blob_.size() - offset_));
  Piece piece{Bytes(from.begin(), from.end()), blob_.size(), encrypted_};
  offset_ += from.size();
  if (offset_ == blob_.size()) {
    forget();
  }
  return piece;
}

Bytes BlobTransfer::read(size_t size) {
  MutexLock lock(mutex_);
  size_t left = blob_.size() - offset_;
  auto from = blob_.view().subspan(offset_, std::min(size, left));
  Bytes bytes(from.begin(), from.end());
  offset_ += from.size();
  if (size > left) {
    forget();
  }
  return bytes;
}

void BlobTransfer::begin_set(BlobKind kind, bool by_write) {
  MutexLock lock(mutex_);
  cut_short();
  state_ = by_write ? State::writing : State::setting;
  kind_ = kind;
}

bool BlobTransfer::collects(BlobKind kind) const {
  MutexLock lock(mutex_);
  return (state_ == State::setting || state_ == State::writing) && kind_ == kind;
}

bool BlobTransfer::append(ByteView piece) {
  MutexLock lock(mutex_);
  if (piece.size() > kLargestBlob - blob_.size()) {
    forget();
    return false;
  }
  blob_.append(piece);
  return true;
}

StateBlob BlobTransfer::finish_set() {
  MutexLock lock(mutex_);
  StateBlob blob = std::move(blob_);
  cut_short_.erase(kind_);
  forget();
  return blob;
}

}  // namespace vtpm
