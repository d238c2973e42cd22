// A device for vtpmctl that answers each request as a test says, and remembers what it was asked.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <vector>

#include "ctl/tool/device/device_client.h"
#include "engine/base/bytes.h"

namespace vtpm {

class AnsweringDevice {
 public:
  // Changes the structure into the answer and returns 0, or returns an errno value.
  using Answer = std::function<int(void* structure)>;

  template <class Abi>
  void on(uint32_t number, std::function<int(Abi&)> answer) {
    answers_[number] = [answer = std::move(answer)](void* structure) {
      return answer(*static_cast<Abi*>(structure));
    };
  }
  // The result code, and nothing else.
  void refuse(uint32_t number, uint32_t result) {
    answers_[number] = [result](void* structure) {
      std::memcpy(structure, &result, sizeof(result));
      return 0;
    };
  }
  void fail(uint32_t number, int error_number) {
    answers_[number] = [error_number](void*) { return error_number; };
  }

  // Requests that nothing was said about succeed with zeroes.
  IoctlFunction function() {
    return [this](uint32_t number, void* structure) {
      asked.push_back(number);
      if (auto found = answers_.find(number); found != answers_.end()) {
        return found->second(structure);
      }
      std::memset(structure, 0, _IOC_SIZE(number));
      return 0;
    };
  }
  DeviceClient client() { return {"vtpm7", "/dev/vtpmctl7", function()}; }

  std::vector<uint32_t> asked;

 private:
  std::map<uint32_t, Answer> answers_;
};

}  // namespace vtpm
