// <vtpm/ioctl.h> against swtpm's own header, and what that header lacks against literal values:
// what differs does not compile.
#include <gtest/gtest.h>
#include <swtpm/tpm_ioctl.h>
#include <vtpm/ioctl.h>

#include <cstddef>
#include <cstdint>

namespace {

// -- numbers --
static_assert(VTPM_GET_CAPABILITY == uint32_t{PTM_GET_CAPABILITY});
static_assert(VTPM_INIT == uint32_t{PTM_INIT});
static_assert(VTPM_SHUTDOWN == uint32_t{PTM_SHUTDOWN});
static_assert(VTPM_GET_TPMESTABLISHED == uint32_t{PTM_GET_TPMESTABLISHED});
static_assert(VTPM_SET_LOCALITY == uint32_t{PTM_SET_LOCALITY});
static_assert(VTPM_HASH_START == uint32_t{PTM_HASH_START});
static_assert(VTPM_HASH_DATA == uint32_t{PTM_HASH_DATA});
static_assert(VTPM_HASH_END == uint32_t{PTM_HASH_END});
static_assert(VTPM_CANCEL_TPM_CMD == uint32_t{PTM_CANCEL_TPM_CMD});
static_assert(VTPM_STORE_VOLATILE == uint32_t{PTM_STORE_VOLATILE});
static_assert(VTPM_RESET_TPMESTABLISHED == uint32_t{PTM_RESET_TPMESTABLISHED});
static_assert(VTPM_GET_STATEBLOB == uint32_t{PTM_GET_STATEBLOB});
static_assert(VTPM_SET_STATEBLOB == uint32_t{PTM_SET_STATEBLOB});
static_assert(VTPM_STOP == uint32_t{PTM_STOP});
static_assert(VTPM_GET_CONFIG == uint32_t{PTM_GET_CONFIG});
static_assert(VTPM_SET_DATAFD == uint32_t{PTM_SET_DATAFD});
static_assert(VTPM_SET_BUFFERSIZE == uint32_t{PTM_SET_BUFFERSIZE});
static_assert(VTPM_GET_INFO == uint32_t{PTM_GET_INFO});
static_assert(VTPM_LOCK_STORAGE == 0xc0045012);
static_assert(VTPM_EXECUTE == 0xd008e900);
static_assert(VTPM_GET_STATUS == 0x8228e901);
static_assert(VTPM_GET_DETAILS == 0x81a8e903);
static_assert(VTPM_GET_SPACES == 0xc410e904);
static_assert(VTPM_SET_VERSION == 0xc004e902);

// -- capability bits --
static_assert(VTPM_CAP_INIT == PTM_CAP_INIT);
static_assert(VTPM_CAP_SHUTDOWN == PTM_CAP_SHUTDOWN);
static_assert(VTPM_CAP_GET_TPMESTABLISHED == PTM_CAP_GET_TPMESTABLISHED);
static_assert(VTPM_CAP_SET_LOCALITY == PTM_CAP_SET_LOCALITY);
static_assert(VTPM_CAP_HASHING == PTM_CAP_HASHING);
static_assert(VTPM_CAP_CANCEL_TPM_CMD == PTM_CAP_CANCEL_TPM_CMD);
static_assert(VTPM_CAP_STORE_VOLATILE == PTM_CAP_STORE_VOLATILE);
static_assert(VTPM_CAP_RESET_TPMESTABLISHED == PTM_CAP_RESET_TPMESTABLISHED);
static_assert(VTPM_CAP_GET_STATEBLOB == PTM_CAP_GET_STATEBLOB);
static_assert(VTPM_CAP_SET_STATEBLOB == PTM_CAP_SET_STATEBLOB);
static_assert(VTPM_CAP_STOP == PTM_CAP_STOP);
static_assert(VTPM_CAP_GET_CONFIG == PTM_CAP_GET_CONFIG);
static_assert(VTPM_CAP_SET_DATAFD == PTM_CAP_SET_DATAFD);
static_assert(VTPM_CAP_SET_BUFFERSIZE == PTM_CAP_SET_BUFFERSIZE);
static_assert(VTPM_CAP_GET_INFO == PTM_CAP_GET_INFO);
static_assert(VTPM_CAP_SEND_COMMAND_HEADER == PTM_CAP_SEND_COMMAND_HEADER);
static_assert(VTPM_CAP_LOCK_STORAGE == 0x10000);
static_assert(VTPM_CAP_EXECUTE == 0x100000000);
static_assert(VTPM_CAP_GET_STATUS == 0x200000000);
static_assert(VTPM_CAP_GET_DETAILS == 0x800000000);
static_assert(VTPM_CAP_GET_SPACES == 0x1000000000);
static_assert(VTPM_CAP_SET_VERSION == 0x400000000);

// -- flags, kinds and sizes --
static_assert(VTPM_INIT_FLAG_DELETE_VOLATILE == PTM_INIT_FLAG_DELETE_VOLATILE);
static_assert(VTPM_CONFIG_FLAG_FILE_KEY == PTM_CONFIG_FLAG_FILE_KEY);
static_assert(VTPM_CONFIG_FLAG_MIGRATION_KEY == PTM_CONFIG_FLAG_MIGRATION_KEY);
static_assert(VTPM_BLOB_TYPE_PERMANENT == PTM_BLOB_TYPE_PERMANENT);
static_assert(VTPM_BLOB_TYPE_VOLATILE == PTM_BLOB_TYPE_VOLATILE);
static_assert(VTPM_BLOB_TYPE_SAVESTATE == PTM_BLOB_TYPE_SAVESTATE);
static_assert(VTPM_STATE_FLAG_DECRYPTED == PTM_STATE_FLAG_DECRYPTED);
static_assert(VTPM_STATE_FLAG_ENCRYPTED == PTM_STATE_FLAG_ENCRYPTED);
static_assert(VTPM_STATE_BLOB_SIZE == PTM_STATE_BLOB_SIZE);
static_assert(VTPM_INFO_SIZE == PTM_GETINFO_SIZE);
static_assert(VTPM_INFO_TPMSPECIFICATION == SWTPM_INFO_TPMSPECIFICATION);
static_assert(VTPM_INFO_TPMATTRIBUTES == SWTPM_INFO_TPMATTRIBUTES);
static_assert(VTPM_INFO_TPMFEATURES == 4);
static_assert(sizeof(vtpm_hash_data::req.data) == sizeof(ptm_hdata::u.req.data));

// -- structures that swtpm's header has --
static_assert(sizeof(vtpm_capability) == sizeof(ptm_cap));
static_assert(sizeof(vtpm_result) == sizeof(ptm_res));

static_assert(sizeof(vtpm_init) == sizeof(ptm_init));
static_assert(offsetof(vtpm_init, req.init_flags) == offsetof(ptm_init, u.req.init_flags));
static_assert(offsetof(vtpm_init, resp.tpm_result) == offsetof(ptm_init, u.resp.tpm_result));

static_assert(sizeof(vtpm_locality) == sizeof(ptm_loc));
static_assert(offsetof(vtpm_locality, req.loc) == offsetof(ptm_loc, u.req.loc));
static_assert(offsetof(vtpm_locality, resp.tpm_result) == offsetof(ptm_loc, u.resp.tpm_result));

static_assert(sizeof(vtpm_locality) == sizeof(ptm_reset_est));
static_assert(offsetof(vtpm_locality, req.loc) == offsetof(ptm_reset_est, u.req.loc));
static_assert(offsetof(vtpm_locality, resp.tpm_result) ==
              offsetof(ptm_reset_est, u.resp.tpm_result));

static_assert(sizeof(vtpm_hash_data) == sizeof(ptm_hdata));
static_assert(offsetof(vtpm_hash_data, req.length) == offsetof(ptm_hdata, u.req.length));
static_assert(offsetof(vtpm_hash_data, req.data) == offsetof(ptm_hdata, u.req.data));
static_assert(offsetof(vtpm_hash_data, resp.tpm_result) == offsetof(ptm_hdata, u.resp.tpm_result));

static_assert(sizeof(vtpm_get_state) == sizeof(ptm_getstate));
static_assert(offsetof(vtpm_get_state, req.state_flags) ==
              offsetof(ptm_getstate, u.req.state_flags));
static_assert(offsetof(vtpm_get_state, req.type) == offsetof(ptm_getstate, u.req.type));
static_assert(offsetof(vtpm_get_state, req.offset) == offsetof(ptm_getstate, u.req.offset));
static_assert(offsetof(vtpm_get_state, resp.tpm_result) ==
              offsetof(ptm_getstate, u.resp.tpm_result));
static_assert(offsetof(vtpm_get_state, resp.state_flags) ==
              offsetof(ptm_getstate, u.resp.state_flags));
static_assert(offsetof(vtpm_get_state, resp.totlength) == offsetof(ptm_getstate, u.resp.totlength));
static_assert(offsetof(vtpm_get_state, resp.length) == offsetof(ptm_getstate, u.resp.length));
static_assert(offsetof(vtpm_get_state, resp.data) == offsetof(ptm_getstate, u.resp.data));

static_assert(sizeof(vtpm_set_state) == sizeof(ptm_setstate));
static_assert(offsetof(vtpm_set_state, req.state_flags) ==
              offsetof(ptm_setstate, u.req.state_flags));
static_assert(offsetof(vtpm_set_state, req.type) == offsetof(ptm_setstate, u.req.type));
static_assert(offsetof(vtpm_set_state, req.length) == offsetof(ptm_setstate, u.req.length));
static_assert(offsetof(vtpm_set_state, req.data) == offsetof(ptm_setstate, u.req.data));
static_assert(offsetof(vtpm_set_state, resp.tpm_result) ==
              offsetof(ptm_setstate, u.resp.tpm_result));

static_assert(sizeof(vtpm_buffersize) == sizeof(ptm_setbuffersize));
static_assert(offsetof(vtpm_buffersize, req.buffersize) ==
              offsetof(ptm_setbuffersize, u.req.buffersize));
static_assert(offsetof(vtpm_buffersize, resp.tpm_result) ==
              offsetof(ptm_setbuffersize, u.resp.tpm_result));
static_assert(offsetof(vtpm_buffersize, resp.buffersize) ==
              offsetof(ptm_setbuffersize, u.resp.buffersize));
static_assert(offsetof(vtpm_buffersize, resp.minsize) ==
              offsetof(ptm_setbuffersize, u.resp.minsize));
static_assert(offsetof(vtpm_buffersize, resp.maxsize) ==
              offsetof(ptm_setbuffersize, u.resp.maxsize));

static_assert(sizeof(vtpm_info) == sizeof(ptm_getinfo));
static_assert(offsetof(vtpm_info, req.flags) == offsetof(ptm_getinfo, u.req.flags));
static_assert(offsetof(vtpm_info, req.offset) == offsetof(ptm_getinfo, u.req.offset));
static_assert(offsetof(vtpm_info, req.pad) == offsetof(ptm_getinfo, u.req.pad));
static_assert(offsetof(vtpm_info, resp.tpm_result) == offsetof(ptm_getinfo, u.resp.tpm_result));
static_assert(offsetof(vtpm_info, resp.totlength) == offsetof(ptm_getinfo, u.resp.totlength));
static_assert(offsetof(vtpm_info, resp.length) == offsetof(ptm_getinfo, u.resp.length));
static_assert(offsetof(vtpm_info, resp.buffer) == offsetof(ptm_getinfo, u.resp.buffer));

static_assert(sizeof(vtpm_established) == sizeof(ptm_est));
static_assert(offsetof(vtpm_established, tpm_result) == offsetof(ptm_est, u.resp.tpm_result));
static_assert(offsetof(vtpm_established, bit) == offsetof(ptm_est, u.resp.bit));

static_assert(sizeof(vtpm_config) == sizeof(ptm_getconfig));
static_assert(offsetof(vtpm_config, tpm_result) == offsetof(ptm_getconfig, u.resp.tpm_result));
static_assert(offsetof(vtpm_config, flags) == offsetof(ptm_getconfig, u.resp.flags));

// -- structures that it lacks --
static_assert(sizeof(vtpm_lock_storage) == 4);
static_assert(offsetof(vtpm_lock_storage, req.retries) == 0);
static_assert(offsetof(vtpm_lock_storage, resp.tpm_result) == 0);

static_assert(sizeof(vtpm_execute) == 4104);
static_assert(offsetof(vtpm_execute, req.locality) == 0);
static_assert(offsetof(vtpm_execute, req.length) == 4);
static_assert(offsetof(vtpm_execute, req.data) == 8);
static_assert(offsetof(vtpm_execute, resp.tpm_result) == 0);
static_assert(offsetof(vtpm_execute, resp.length) == 4);
static_assert(offsetof(vtpm_execute, resp.data) == 8);

static_assert(sizeof(vtpm_status) == 552);
static_assert(offsetof(vtpm_status, tpm_result) == 0);
static_assert(offsetof(vtpm_status, phase) == 4);
static_assert(offsetof(vtpm_status, version) == 8);
static_assert(offsetof(vtpm_status, locality) == 12);
static_assert(offsetof(vtpm_status, flags) == 16);
static_assert(offsetof(vtpm_status, pid) == 20);
static_assert(offsetof(vtpm_status, commands) == 24);
static_assert(offsetof(vtpm_status, opener_pid) == 32);
static_assert(offsetof(vtpm_status, reserved) == 36);
static_assert(offsetof(vtpm_status, state) == 40);
static_assert(offsetof(vtpm_status, reason) == 296);
static_assert(sizeof(vtpm_details) == 424);
static_assert(offsetof(vtpm_details, flags) == 4);
static_assert(offsetof(vtpm_details, uptime) == 8);
static_assert(offsetof(vtpm_details, storage_failure_age) == 16);
static_assert(offsetof(vtpm_details, lockout_failed) == 24);
static_assert(offsetof(vtpm_details, lockout_limit) == 28);
static_assert(offsetof(vtpm_details, lockout_interval) == 32);
static_assert(offsetof(vtpm_details, lockout_recovery) == 36);
static_assert(offsetof(vtpm_details, program) == 40);
static_assert(offsetof(vtpm_details, opener) == 104);
static_assert(offsetof(vtpm_details, storage_failure) == 168);
static_assert(sizeof(vtpm_space) == 32);
static_assert(offsetof(vtpm_space, id) == 0);
static_assert(offsetof(vtpm_space, commands) == 8);
static_assert(offsetof(vtpm_space, pid) == 16);
static_assert(offsetof(vtpm_space, uid) == 20);
static_assert(offsetof(vtpm_space, objects) == 24);
static_assert(offsetof(vtpm_space, sessions) == 28);
static_assert(sizeof(vtpm_spaces) == 1040);
static_assert(offsetof(vtpm_spaces, resp.count) == 4);
static_assert(offsetof(vtpm_spaces, resp.more) == 8);
static_assert(offsetof(vtpm_spaces, resp.spaces) == 16);

static_assert(sizeof(vtpm_version) == 4);
static_assert(offsetof(vtpm_version, req.version) == 0);
static_assert(offsetof(vtpm_version, resp.tpm_result) == 0);

TEST(ControlAbi, NumbersSizesAndOffsets_AreSwtpmsOrThisDoesNotCompile) {
  SUCCEED();
}

}  // namespace
