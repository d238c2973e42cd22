/* The one function of libtpms 0.10 that the adapter uses and 0.9's header does not declare; put in
 * front of every file of this program by the compiler's -include. */
#pragma once

#include <libtpms/tpm_types.h>

extern "C" TPM_RESULT TPMLIB_SetProfile(const char* profile);
