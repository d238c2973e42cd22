// What a TPM's process would try once a guest had taken it over, and what it has to be able to do
// all the same. Each attempt returns 0 or an errno, and leaves nothing behind.
#pragma once

#include <span>
#include <string>

namespace vtpm {

struct Attempt {
  const char* name;
  int (*try_it)();
  bool has_to_work;
};

std::span<const Attempt> attempts();

// Opens it for that, and closes it again.
int try_to_read(const std::string& path);
int try_to_write(const std::string& path);

}  // namespace vtpm
