#include "ctl/door/reply.h"

#include <cerrno>
#include <exception>

namespace vtpm {

void PendingReply::answer_dropped() {
  error(std::uncaught_exceptions() > 0 ? ENOMEM : EIO);
}

}  // namespace vtpm
