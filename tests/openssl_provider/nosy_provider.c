// A provider of OpenSSL's that does what those of TPMs and tokens do: opens a device when it is
// loaded, and keeps it. It says so, and has no algorithm.
#include <fcntl.h>
#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <unistd.h>

OSSL_provider_init_fn OSSL_provider_init;

static const OSSL_DISPATCH kNothing[] = {{0, NULL}};

int OSSL_provider_init(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* in,
                       const OSSL_DISPATCH** out, void** provider) {
  static const char kLoaded[] = "nosy_provider: loaded\n";
  (void)in;
  (void)!write(STDERR_FILENO, kLoaded, sizeof(kLoaded) - 1);
  *out = kNothing;
  *provider = (void*)handle;
  return open("/dev/zero", O_RDONLY) >= 0;
}
