// The control requests as ioctls: the numbers and structures of <vtpm/ioctl.h> on one side, values
// (requests.h) on the other. State blobs, which travel in pieces, are collected and cut here, with
// the BlobTransfer of the open file.
//
// Threads: any; what belongs to an open file is behind its transfer's lock.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "ctl/control/blob_transfer.h"
#include "ctl/control/control_table.h"
#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/base/secret.h"

namespace vtpm {

// One request that there is an ioctl for.
struct IoctlRow {
  uint32_t number;
  size_t request;  // ControlRequest::index()
  // `in` has exactly the size that the number encodes, or is empty for requests that only answer.
  // Nothing: a piece of a blob that is not the last, or one that the transfer has.
  Result<std::optional<ControlRequest>> (*decode)(ByteView in, BlobTransfer& transfer);
  // The structure of the answer; `in` is what was decoded.
  Result<Bytes> (*encode)(ByteView in, ControlAnswer answer, BlobTransfer& transfer);

  [[nodiscard]] const ControlRow& row() const { return control_table()[request]; }
};

std::span<const IoctlRow> ioctl_table();

// Null when there is no such request.
const IoctlRow* find_ioctl(uint32_t number);

// A response that is the result code alone, for a refused request.
Bytes result_only(uint32_t tpm_result);

// One ioctl on its way.
//
// Any request but those that carry a blob's pieces ends the transfer, and so does any that is
// refused, but for one: GET_STATEBLOB with a type that does not exist means no blob, and so not the
// one that is under way. INIT is refused with BAD_DATASIZE while the transfer lacks a rest; STOP
// begins anew.
class IoctlExchange {
 public:
  // Errors: invalid for a request whose size is not the number's.
  static Result<IoctlExchange> begin(const IoctlRow& ioctl, ByteView in,
                                     std::shared_ptr<BlobTransfer> transfer);

  // For ControlDispatcher::dispatch().
  Result<std::optional<ControlRequest>> request();
  // Errors: those of a request that was refused without a TPM result code.
  Result<Bytes> response(Result<ControlAnswer> answer);

 private:
  IoctlExchange(const IoctlRow& ioctl, Bytes in, std::shared_ptr<BlobTransfer> transfer)
      : ioctl_(&ioctl), in_(std::move(in)), transfer_(std::move(transfer)) {}

  const IoctlRow* ioctl_;
  WipedBytes in_;  // a piece of a state, perhaps
  std::shared_ptr<BlobTransfer> transfer_;
  bool refused_by_codec_ = false;  // which has ended the transfer then, if it was to end
};

}  // namespace vtpm
