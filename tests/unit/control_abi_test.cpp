// <vtpm/ioctl.h> against swtpm's own header: what differs does not compile.
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
static_assert(VTPM_SET_LOCALITY == uint32_t{PTM_SET_LOCALITY});
static_assert(VTPM_CANCEL_TPM_CMD == uint32_t{PTM_CANCEL_TPM_CMD});
static_assert(VTPM_STOP == uint32_t{PTM_STOP});
static_assert(VTPM_GET_CONFIG == uint32_t{PTM_GET_CONFIG});
static_assert(VTPM_SET_BUFFERSIZE == uint32_t{PTM_SET_BUFFERSIZE});

// -- capability bits --
static_assert(VTPM_CAP_INIT == PTM_CAP_INIT);
static_assert(VTPM_CAP_SHUTDOWN == PTM_CAP_SHUTDOWN);
static_assert(VTPM_CAP_SET_LOCALITY == PTM_CAP_SET_LOCALITY);
static_assert(VTPM_CAP_CANCEL_TPM_CMD == PTM_CAP_CANCEL_TPM_CMD);
static_assert(VTPM_CAP_STOP == PTM_CAP_STOP);
static_assert(VTPM_CAP_GET_CONFIG == PTM_CAP_GET_CONFIG);
static_assert(VTPM_CAP_SET_BUFFERSIZE == PTM_CAP_SET_BUFFERSIZE);

// -- flags --
static_assert(VTPM_INIT_FLAG_DELETE_VOLATILE == PTM_INIT_FLAG_DELETE_VOLATILE);
static_assert(VTPM_CONFIG_FLAG_FILE_KEY == PTM_CONFIG_FLAG_FILE_KEY);
static_assert(VTPM_CONFIG_FLAG_MIGRATION_KEY == PTM_CONFIG_FLAG_MIGRATION_KEY);

// -- structures --
static_assert(sizeof(vtpm_capability) == sizeof(ptm_cap));
static_assert(sizeof(vtpm_result) == sizeof(ptm_res));
static_assert(sizeof(vtpm_init) == sizeof(ptm_init));
static_assert(offsetof(vtpm_init, req.init_flags) == offsetof(ptm_init, u.req.init_flags));
static_assert(offsetof(vtpm_init, resp.tpm_result) == offsetof(ptm_init, u.resp.tpm_result));
static_assert(sizeof(vtpm_locality) == sizeof(ptm_loc));
static_assert(offsetof(vtpm_locality, req.loc) == offsetof(ptm_loc, u.req.loc));
static_assert(offsetof(vtpm_locality, resp.tpm_result) == offsetof(ptm_loc, u.resp.tpm_result));
static_assert(sizeof(vtpm_config) == sizeof(ptm_getconfig));
static_assert(offsetof(vtpm_config, tpm_result) == offsetof(ptm_getconfig, u.resp.tpm_result));
static_assert(offsetof(vtpm_config, flags) == offsetof(ptm_getconfig, u.resp.flags));
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

TEST(ControlAbi, NumbersSizesAndOffsets_AreSwtpmsOrThisDoesNotCompile) {
  SUCCEED();
}

}  // namespace
