package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
final class AsyncWorkersTest {
    @Test
    void completesWithTheAnswerOrTheFailure() {
        try (AsyncWorkers workers = workers()) {
            assertThat(workers.run(() -> 7).join()).isEqualTo(7);
            CompletableFuture<Integer> failed = workers.run(() -> {
                throw new IllegalArgumentException("no");
            });
            assertThatThrownBy(failed::join).isInstanceOf(CompletionException.class).hasRootCauseMessage("no");
        }
    }

    @Test
    void operationsThatWaitLeaveThreadsToThoseThatEndTheWait() {
        AtomicInteger permits = new AtomicInteger();
        try (AsyncWorkers workers = workers()) {
            List<CompletableFuture<Integer>> waiting = new ArrayList<>();
            for (int i = 0; i < 10 * AsyncWorkers.THREADS_MAX; i++) {
                waiting.add(workers.attempt(() -> permits.get() > 0 ? permits.getAndDecrement() : null, Long.MAX_VALUE, null,
                        answer -> { }));
            }
            workers.run(() -> permits.addAndGet(1_000)).join();
            waiting.forEach(CompletableFuture::join);
        }
    }

    @Test
    void anAttemptEndsAtItsDeadlineWithNull() {
        try (AsyncWorkers workers = workers()) {
            AtomicInteger attempts = new AtomicInteger();
            CompletableFuture<Integer> none = workers.attempt(() -> {
                attempts.incrementAndGet();
                return null;
            }, TimeUnit.MILLISECONDS.toNanos(5), null, answer -> { });
            assertThat(none.join()).isNull();
            assertThat(attempts.get()).isGreaterThan(1);
        }
    }

    @Test
    void noMoreThreadsThanPromised() {
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        try (AsyncWorkers workers = workers()) {
            List<CompletableFuture<Integer>> all = new ArrayList<>();
            for (int i = 0; i < 1_000; i++) {
                all.add(workers.run(() -> {
                    most.accumulateAndGet(now.incrementAndGet(), Math::max);
                    Thread.yield();
                    return now.decrementAndGet();
                }));
            }
            all.forEach(CompletableFuture::join);
            assertThat(most.get()).isBetween(1, AsyncWorkers.THREADS_MAX);
        }
    }

    @Test
    void anAnswerThatNobodyTakesIsGivenBack() throws InterruptedException {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch cancelled = new CountDownLatch(1);
        CountDownLatch returned = new CountDownLatch(1);
        AtomicReference<String> back = new AtomicReference<>();
        try (AsyncWorkers workers = workers()) {
            CompletableFuture<String> future = workers.attempt(() -> {
                begun.countDown();
                await(cancelled);
                return "element";
            }, 0, null, answer -> {
                back.set(answer);
                returned.countDown();
            });
            begun.await();
            assertThat(future.cancel(false)).isTrue();
            cancelled.countDown();
            returned.await();
            assertThat(back.get()).isEqualTo("element");
        }
    }

    @Test
    void tooManyPendingAreRefused() {
        CountDownLatch end = new CountDownLatch(1);
        try (AsyncWorkers workers = workers()) {
            List<CompletableFuture<?>> all = new ArrayList<>();
            for (int i = 0; i < AsyncWorkers.PENDING_MAX; i++) {
                all.add(workers.run(() -> {
                    await(end);
                    return 0;
                }));
            }
            assertThatThrownBy(workers.run(() -> 1)::join).hasCauseInstanceOf(RejectedExecutionException.class)
                    .hasMessageContaining("65536");
            end.countDown();
            all.forEach(CompletableFuture::join);
            assertThat(workers.run(() -> 1).join()).isEqualTo(1);
        }
    }

    @Test
    void closeFailsWhatWaitsAndLetsEndWhatRuns() throws InterruptedException {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        AsyncWorkers workers = workers();
        CompletableFuture<Integer> running = workers.run(() -> {
            begun.countDown();
            await(end);
            return 3;
        });
        CompletableFuture<Integer> waiting = workers.attempt(() -> null, Long.MAX_VALUE, null, answer -> { });
        begun.await();
        workers.close();
        assertThatThrownBy(waiting::join).hasCauseInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
        assertThatThrownBy(workers.run(() -> 1)::join).hasCauseInstanceOf(IllegalStateException.class);
        end.countDown();
        assertThat(running.join()).isEqualTo(3);
    }

    private static AsyncWorkers workers() {
        return new AsyncWorkers("test", System::nanoTime);
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
