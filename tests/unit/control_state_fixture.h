// State blobs by ioctl, piece by piece.
#pragma once

#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/unit/control_surface_fixture.h"

namespace vtpm {

class StateBlobTest : public ControlSurfaceTest {
 protected:
  using ControlSurfaceTest::ControlSurfaceTest;

  static constexpr size_t kPiece = VTPM_STATE_BLOB_SIZE;

  Result<Bytes> get(uint32_t type, uint32_t offset = 0, uint32_t state_flags = 0) {
    vtpm_get_state request{};
    request.req.state_flags = state_flags;
    request.req.type = type;
    request.req.offset = offset;
    return ask(VTPM_GET_STATEBLOB, view_of(request));
  }

  static Bytes bytes_in(const Result<Bytes>& answer) {
    auto piece = from<vtpm_get_state>(answer);
    EXPECT_EQ(piece.resp.tpm_result, VTPM_RESULT_SUCCESS);
    return to_bytes(std::as_bytes(std::span(piece.resp.data)).first(piece.resp.length));
  }

  static uint32_t flags_in(const Result<Bytes>& answer) {
    return from<vtpm_get_state>(answer).resp.state_flags;
  }

  static uint32_t total_in(const Result<Bytes>& answer) {
    return from<vtpm_get_state>(answer).resp.totlength;
  }

  Result<Bytes> set(uint32_t type, ByteView piece, uint32_t length) {
    auto request = std::make_unique<vtpm_set_state>();
    request->req.type = type;
    request->req.length = length;
    std::ranges::copy(piece, std::as_writable_bytes(std::span(request->req.data)).begin());
    return ask(VTPM_SET_STATEBLOB, view_of(*request));
  }
  Result<Bytes> set(uint32_t type, ByteView piece) {
    return set(type, piece, static_cast<uint32_t>(piece.size()));
  }

  // A blob as it travels, without a key, around a state that has `size` bytes.
  static Bytes blob_of(size_t size) { return wrap_migration_blob(Bytes(size), nullptr).value(); }
  static Bytes blob_of(ByteView state) { return wrap_migration_blob(state, nullptr).value(); }

  // What a TPM has after that many bytes of state.
  static constexpr size_t kOverhead = 22;  // of a blob without a key

  Bytes remember(size_t size) {
    Bytes state(size);
    for (size_t i = 0; i < size; ++i) {
      state[i] = static_cast<std::byte>(i * 7);
    }
    EXPECT_EQ(execute(tpm2_command(FakeEngine::kRemember, state)), rc::success);
    return state;
  }
};

}  // namespace vtpm
