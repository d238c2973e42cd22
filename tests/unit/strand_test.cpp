#include "engine/base/strand.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <new>
#include <thread>
#include <vector>

namespace vtpm {
namespace {

TEST(Strand, Idle_RunsATaskAtOnceOnTheCallersThread) {
  Strand queue;
  std::thread::id ran_on;

  queue.run([&] { ran_on = std::this_thread::get_id(); });

  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(Strand, TasksFromWithinATask_RunAfterItInOrder) {
  Strand queue;
  std::vector<int> order;

  queue.run([&] {
    queue.run([&] {
      order.push_back(2);
      queue.run([&] { order.push_back(4); });
    });
    queue.run([&] { order.push_back(3); });
    order.push_back(1);
  });

  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
}

TEST(Strand, TaskOfASecondThread_RunsOnTheBusyThreadAfterItsTask) {
  Strand queue;
  std::thread::id second_ran_on;
  std::vector<int> order;

  queue.run([&] {
    std::thread second([&] {
      queue.run([&] {
        second_ran_on = std::this_thread::get_id();
        order.push_back(2);
      });
    });
    second.join();  // the second thread is free again although its task has not run
    order.push_back(1);
  });

  EXPECT_EQ(second_ran_on, std::this_thread::get_id());
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(Strand, TasksOfManyThreads_NeverOverlapAndAllRun) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 500;
  Strand queue;
  int count = 0;  // no lock: the queue is what keeps tasks apart, and TSan watches

  std::vector<std::future<void>> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.push_back(std::async(std::launch::async, [&] {
      for (int i = 0; i < kTasks; ++i) {
        queue.run([&] { ++count; });
      }
    }));
  }
  threads.clear();  // waits for all
  int last = 0;
  queue.run([&] { last = count; });

  EXPECT_EQ(last, kThreads * kTasks);
}

TEST(Strand, MoveOnlyTask_IsAccepted) {
  Strand queue;
  int result = 0;
  auto owned = std::make_unique<int>(7);

  queue.run([&result, owned = std::move(owned)] { result = *owned; });

  EXPECT_EQ(result, 7);
}

TEST(Strand, WhatATaskOwns_EndsBeforeTheNextTaskRuns) {
  Strand queue;
  auto witness = std::make_shared<int>();
  std::weak_ptr<int> alive = witness;
  bool ended = false;

  queue.run([&, witness = std::move(witness)] { queue.run([&] { ended = alive.expired(); }); });

  EXPECT_TRUE(ended);
}

TEST(Strand, EndOfATasksOwner_MaySubmitATask) {
  struct SubmitsWhenItEnds {
    explicit SubmitsWhenItEnds(std::function<void()> f) : submit(std::move(f)) {}
    SubmitsWhenItEnds(const SubmitsWhenItEnds&) = delete;
    SubmitsWhenItEnds& operator=(const SubmitsWhenItEnds&) = delete;
    ~SubmitsWhenItEnds() { submit(); }
    std::function<void()> submit;
  };
  Strand queue;
  bool ran = false;
  auto owner = std::make_unique<SubmitsWhenItEnds>([&] { queue.run([&] { ran = true; }); });

  queue.run([owner = std::move(owner)] {});

  EXPECT_TRUE(ran);
}

TEST(Strand, TasksThatGoFirst_ComeBeforeAllOthersThatWaitInTheirOrder) {
  Strand strand;
  std::vector<int> order;

  strand.run([&] {
    strand.run([&] { order.push_back(3); });
    strand.run([&] { order.push_back(1); }, Precedence::first);
    strand.run([&] { order.push_back(4); });
    strand.run([&] { order.push_back(2); }, Precedence::first);
  });

  EXPECT_EQ(order, (std::vector{1, 2, 3, 4}));
}

TEST(Strand, TaskThatThrows_LeavesTheStrandFreeForTheNext) {
  Strand queue;
  bool ran = false;
  EXPECT_THROW(queue.run([] { throw std::bad_alloc(); }), std::bad_alloc);

  queue.run([&] { ran = true; });

  EXPECT_TRUE(ran);
}

TEST(Strand, TaskThatThrows_DoesNotKeepWaitingOnesFromRunning) {
  Strand queue;
  std::vector<int> order;

  EXPECT_THROW(queue.run([&] {
    queue.run([&] { order.push_back(1); });
    queue.run([&] { order.push_back(2); });
    throw std::bad_alloc();
  }),
               std::bad_alloc);

  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace vtpm
