// The first and only process of the virtual machine in the QEMU tests. Prints what the kernel's
// driver says about the TPM, one "tpm: NAME VALUE" line each, on the console, and powers off. With
// "-- rounds" at the end of the kernel's command line it first extends PCR 9 over and over, until a
// line comes from the console.
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

static void report(const char* name, const char* path) {
  char value[256] = "missing\n";
  FILE* file = fopen(path, "r");
  if (file != NULL) {
    if (fgets(value, sizeof value, file) == NULL) {
      value[0] = '\0';
    }
    fclose(file);
  }
  printf("tpm: %s %s", name, value);
}

static void extend_pcr9(void) {
  // TPM2_PCR_Extend(9, password session, one SHA-256 digest of which all bytes but these are zero)
  unsigned char message[4096] = {0x80, 0x02, 0, 0, 0, 65, 0,    0,    0x01, 0x82, 0, 0,
                                 0,    9,    0, 0, 0, 9,  0x40, 0,    0,    9,    0, 0,
                                 0,    0,    0, 0, 0, 0,  0x01, 0x00, 0x0b, 0xaa};
  int tpm = open("/dev/tpm0", O_RDWR);
  if (tpm < 0 || write(tpm, message, 65) != 65) {
    printf("tpm: extend failed\n");
    return;
  }
  ssize_t size = read(tpm, message, sizeof message);
  printf("tpm: extend %02x%02x%02x%02x\n", message[6], message[7], message[8],
         size < 10 ? 0xff : message[9]);
  close(tpm);
}

static void report_pcr(const char* name, int index) {
  char path[64];
  snprintf(path, sizeof path, "/sys/class/tpm/tpm0/pcr-sha256/%d", index);
  report(name, path);
}

static void extend_in_rounds(void) {
  struct pollfd console = {.fd = STDIN_FILENO, .events = POLLIN};
  do {
    report_pcr("round", 9);
    extend_pcr9();
    fflush(stdout);
  } while (poll(&console, 1, 1000) == 0);
}

int main(int argc, char** argv) {
  klogctl(6, NULL, 0);  // SYSLOG_ACTION_CONSOLE_OFF: no message of the kernel within our lines
  mkdir("/sys", 0755);
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
  mount("sysfs", "/sys", "sysfs", 0, NULL);
  report("version", "/sys/class/tpm/tpm0/tpm_version_major");
  for (int index = 0; index < 10; index++) {
    char name[16];
    snprintf(name, sizeof name, "pcr%d", index);
    report_pcr(name, index);
  }
  extend_pcr9();
  if (strcmp(argv[argc - 1], "rounds") == 0) {
    extend_in_rounds();
  }
  printf("tpm: end\n");
  fflush(stdout);
  sync();
  reboot(RB_POWER_OFF);
  return 0;
}
