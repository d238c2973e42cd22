// State blobs that somebody has altered, with a checksum that fits again, in a real TPM 2.0: given
// to it and as its stored state. It refuses them or goes on, and the process does not end. A good
// state works behind each of them, unless libtpms made a memory error: then none does.
//
// An input: one byte that says which blob is altered (bit 0) and how it comes to the TPM (bit 1),
// then edits of four bytes each: what is done (cut, insert, overwrite), where (two bytes), and with
// what.
#include <gtest/gtest.h>
#include <libtpms/tpm_library.h>
#include <openssl/sha.h>

#include "engine/tpm/libtpms_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/nv_commands.h"

namespace vtpm {
namespace {

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};
constexpr BlobName kVolatile{TpmVersion::tpm20, BlobKind::volatile_state};

struct TpmState {
  Bytes permanent;
  Bytes volatile_state;
};

std::unique_ptr<LibtpmsEngine> engine_on(StateStore& store) {
  return LibtpmsEngine::create({TpmVersion::tpm20, true, ""}, store).value();
}

// TPM2_StartAuthSession of a policy session, and TPM2_HashSequenceStart: what a volatile state has
// in it.
Bytes start_session() {
  return tpm2_command(CommandCode{0x176}, BigEndianWriter()
                                              .bytes(hex("40000007 40000007 0010"))
                                              .bytes(Bytes(16))
                                              .bytes(hex("0000 01 0010 000b"))
                                              .take());
}
Bytes start_hash() {
  return tpm2_command(CommandCode{0x186}, hex("0000 000b"));
}

TpmState state_in_use() {
  MemoryStore store;
  auto engine = engine_on(store);
  EXPECT_TRUE(engine->power_on(StoredVolatile::keep));
  for (const Bytes& command : {tpm2_startup(), nv_define(1, kNvNoDa), nv_write(1, hex("01020304")),
                               start_session(), start_hash()}) {
    EXPECT_EQ(response_code(engine->execute(command, Locality{}).value()), rc::success);
  }
  return {engine->get_state(BlobKind::permanent).value(),
          engine->get_state(BlobKind::volatile_state).value()};
}

void edit(Bytes& blob, ByteView edits) {
  for (; edits.size() >= 4; edits = edits.subspan(4)) {
    auto what = static_cast<uint8_t>(edits[0]);
    size_t where = BigEndianReader(edits.subspan(1)).u16() % (blob.size() + 1);
    auto at = blob.begin() + static_cast<ptrdiff_t>(where);
    if (what % 3 == 0) {
      blob.erase(at, at + std::min<ptrdiff_t>(static_cast<uint8_t>(edits[3]), blob.end() - at));
    } else if (what % 3 == 1) {
      blob.insert(at, edits[3]);
    } else if (at != blob.end()) {
      *at = edits[3];
    }
  }
}

// A volatile blob ends with the SHA-1 digest of all before it.
void mend_checksum(Bytes& blob) {
  if (blob.size() > SHA_DIGEST_LENGTH) {
    auto* bytes = reinterpret_cast<unsigned char*>(blob.data());
    size_t covered = blob.size() - SHA_DIGEST_LENGTH;
    SHA1(bytes, covered, bytes + covered);
  }
}

bool give(Engine& engine, const TpmState& state) {
  return engine.set_state(BlobKind::permanent, state.permanent) &&
         engine.set_state(BlobKind::volatile_state, state.volatile_state);
}

// Whatever a TPM does whose state is not sound.
void use(Engine& engine) {
  if (!engine.power_on(StoredVolatile::keep)) {
    return;
  }
  for (const Bytes& command :
       {get_random(8), start_session(), start_hash(), nv_write(1, hex("01020304")),
        shutdown_command(ShutdownType::state)}) {
    static_cast<void>(engine.execute(command, Locality{}));
  }
  static_cast<void>(engine.get_state(BlobKind::volatile_state));
  engine.power_off();
}

void expect_to_work_with(Engine& engine, const TpmState& good) {
  ASSERT_TRUE(give(engine, good));
  ASSERT_EQ(engine.power_on(StoredVolatile::keep).value(), PoweredOn::resumed);
  ASSERT_EQ(response_code(engine.execute(nv_write(1, hex("05060708")), Locality{}).value()),
            rc::success);
  ASSERT_TRUE(engine.get_state(BlobKind::volatile_state));
}

void take_altered(const TpmState& good, bool permanent, bool stored, ByteView edits) {
  TpmState altered = good;
  edit(permanent ? altered.permanent : altered.volatile_state, edits);
  mend_checksum(altered.volatile_state);
  MemoryStore store;
  auto engine = engine_on(store);
  if (stored) {
    store.put(kPermanent, altered.permanent);
    store.put(kVolatile, altered.volatile_state);
  } else {
    static_cast<void>(give(*engine, altered));
  }
  use(*engine);
  if (engine->in_failure_mode()) {  // and powered off: for good
    ASSERT_FALSE(engine->power_on(StoredVolatile::keep));
    TPMLIB_Terminate();  // for the next input, which vtpmd would not take
    return;
  }
  expect_to_work_with(*engine, good);
}

}  // namespace
}  // namespace vtpm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const vtpm::TpmState good = vtpm::state_in_use();
  GTEST_FLAG_SET(throw_on_failure, true);  // what fails ends the process
  if (size > 0) {
    vtpm::take_altered(good, (data[0] & 1) != 0, (data[0] & 2) != 0,
                       std::as_bytes(std::span(data, size)).subspan(1));
  }
  return 0;
}
