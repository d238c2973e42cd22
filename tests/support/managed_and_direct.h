// The same commands through a resource manager on a TPM with few slots, and directly on one that
// has enough: the responses must be the same but for handles, names of sessions, contexts and the
// resource manager's layer in codes.
//
// What is done is a list of small steps. A step names things by number, among those that the client
// has at that moment, so that every part of a list is a list as well: a failure is shrunk by
// leaving steps out. Used by the property test and by the fuzzer.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/resource_manager/resource_manager.h"
#include "tests/support/space_client.h"
#include "tests/support/tpm_double.h"

namespace vtpm {

struct Step {
  uint8_t what;
  uint8_t client;
  uint8_t first;   // which thing
  uint8_t second;  // which other, or what with
};

std::string describe(const Step& step);

class ManagedAndDirect {
 public:
  explicit ManagedAndDirect(TpmDouble::Sizes few = {.context_gap = 40});

  // Nothing: all is the same. Otherwise what was not.
  std::optional<std::string> run(const std::vector<Step>& steps);

  // One step of it; what was not the same so far.
  const std::optional<std::string>& step(const Step& step);
  // Somebody else's open, whose commands are for the managed TPM alone.
  SpaceClient open_stranger() {
    has_stranger_ = true;
    return SpaceClient(manager_.open_space({.pid = 666, .uid = 666}));
  }
  // After the last step; a stranger is closed.
  std::optional<std::string> finish();

 private:
  static constexpr size_t kClients = 4;
  static constexpr size_t kMostObjects = 12;
  static constexpr size_t kMostSessions = 6;
  static constexpr size_t kMostSaved = 8;

  // One thing in the two worlds.
  struct Pair {
    uint32_t managed;
    uint32_t direct;
    uint32_t hierarchy = 0;  // of an object
  };
  struct Context {
    Bytes managed;
    Bytes direct;
    uint32_t hierarchy;  // 0: of a session
  };
  struct Client {
    std::optional<SpaceClient> space;
    std::vector<Pair> objects;
    std::vector<Pair> sessions;
  };
  using Make = Bytes (*)(uint32_t handle, uint8_t with);
  // A kind of step: what is done, and the command where one is all that differs.
  struct Row {
    std::string_view name;
    void (ManagedAndDirect::*run)(Client&, const Step&, const Row&);
    Make make = nullptr;
    uint32_t number = 0;  // a hierarchy, a kind of session, attributes
  };
  static constexpr size_t kRows = 32;
  static const std::array<Row, kRows>& rows();
  friend std::string describe(const Step& step);

  void run(const Step& step);
  void make_new(Client& client, const Step& step, const Row& row);
  void make_from_object(Client& client, const Step& step, const Row& row);
  void make_session(Client& client, const Step& step, const Row& row);
  void use_object(Client& client, const Step& step, const Row& row);
  void use_session(Client& client, const Step& step, const Row& row);
  void use_under_session(Client& client, const Step& step, const Row& row);
  void use_persistent(Client& client, const Step& step, const Row& row);
  void use_unknown_object(Client& client, const Step& step, const Row& row);
  void use_unknown_session(Client& client, const Step& step, const Row& row);
  void complete(Client& client, const Step& step, const Row& row);
  void flush_object(Client& client, const Step& step, const Row& row);
  void flush_session(Client& client, const Step& step, const Row& row);
  void save_object(Client& client, const Step& step, const Row& row);
  void save_session(Client& client, const Step& step, const Row& row);
  void load(Client& client, const Step& step, const Row& row);
  void close(Client& client, const Step& step, const Row& row);
  void list(Client& client, const Step& step, const Row& row);
  void clear(Client& client, const Step& step, const Row& row);
  void reset(Client& client, const Step& step, const Row& row);
  void send_raw(Client& client, const Step& step, const Row& row);

  void reopen(Client& client);
  void close(Client& client);
  void use(Client& client, Make make, Pair thing, uint8_t with);
  void use_under(Client& client, Pair object, Pair session, uint8_t attributes);
  void flush(Client& client, std::vector<Pair>& things, uint8_t which);
  std::optional<Pair> save(Client& client, const std::vector<Pair>& things, uint8_t which);
  void check_leftovers();

  // What both say, handles of responses apart.
  struct Both {
    Bytes managed;
    Bytes direct;
    [[nodiscard]] bool succeeded() const;
  };
  Both send(Client& client, ByteView managed, ByteView direct, bool compare_all = true);
  void complain(const std::string& what, ByteView managed, ByteView direct);
  static Pair pick(const std::vector<Pair>& things, uint8_t which);

  TpmDouble small_;
  TpmDouble large_;
  SpaceClient direct_{large_};
  ResourceManager manager_;
  SpaceClient raw_;
  std::array<Client, kClients> clients_;
  std::vector<Context> contexts_;
  std::optional<std::string> difference_;
  bool has_stranger_ = false;  // who may leave saved sessions
};

// The shortest list that still fails, as far as leaving steps out leads.
std::vector<Step> shrink(std::vector<Step> steps);

}  // namespace vtpm
